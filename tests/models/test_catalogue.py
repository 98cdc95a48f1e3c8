import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.folders import weightless
from tests.engine.material import MODEL
from voxgate.errors import CheckpointError, UnknownModelError
from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import (
    BUILT_IN_MODELS,
    find_model,
    find_named_model,
    why_not_installed,
)
from voxgate.settings import Settings


def test_models_are_keyed_by_their_names() -> None:
    assert find_model(MODEL) is BUILT_IN_MODELS[MODEL]
    assert all(name == spec.name for name, spec in BUILT_IN_MODELS.items())


def test_an_unknown_name_raises_with_the_nearest() -> None:
    with pytest.raises(UnknownModelError, match=f"Nearest: {MODEL}"):
        find_model("Systran/faster-whisper-basic")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        (
            "larg-v3",
            r"Whisper large-v3, .*`voxgate models pull Systran/faster-whisper-large-v3` \(",
        ),
        ("Voxtral-Mni", r"Voxtral Mini, .*`voxgate models pull mistralai/Voxtral-Mini-3B-2507` \("),
        ("Systran/faster-whisper-smal", "Whisper small, which is not installed: "),
        ("Systran/faster-whisper-bass", rf"{MODEL}\. `voxgate models` lists them all\.$"),
        ("whisper-bass", rf"{MODEL}\. "),  # like an alias of a model that is here
        ("openai/whisper-1", rf"{MODEL}\. "),
    ],
)
def test_the_nearest_may_be_a_model_that_can_be_pulled(name: str, near: str) -> None:
    with pytest.raises(UnknownModelError, match=f"^No model is called '{name}'. Nearest: {near}"):
        find_model(name)


def test_the_name_that_a_client_has_built_in_can_be_given_to_a_model(tmp_path: Path) -> None:
    """As the sentence says."""
    home = {"VOXGATE_HOME": str(tmp_path)}
    with pytest.raises(UnknownModelError) as caught:
        find_named_model("gpt-4o-transcribe", AvailableModels(Settings.read(home)))
    setting = re.search(r'VOXGATE_MODEL_ALIASES="(gpt-4o-transcribe = .*)"\.$', str(caught.value))
    assert setting is not None
    settings = Settings.read(home | {"VOXGATE_MODEL_ALIASES": setting[1]})
    assert find_named_model("gpt-4o-transcribe", AvailableModels(settings)).name == MODEL


def test_the_name_of_openais_own_model_stands_for_the_built_in_one(tmp_path: Path) -> None:
    models = AvailableModels(Settings.read({"VOXGATE_HOME": str(tmp_path)}))
    assert find_named_model("whisper-1", models).name == MODEL


@pytest.mark.parametrize("name", ["openai/whisper-1", "a, b = c", '"', ""])
def test_a_name_that_no_client_has_built_in_is_not_given_to_a_model(name: str) -> None:
    with pytest.raises(UnknownModelError, match=r"lists them all\.$"):
        find_named_model(name)


def test_missing_packages_are_named() -> None:
    assert why_not_installed(BUILT_IN_MODELS[MODEL]) is None
    spec = replace(BUILT_IN_MODELS[MODEL], distributions=("faster-whisper", "no-such-thing"))
    sentence = why_not_installed(spec)
    assert sentence is not None
    assert "needs no-such-thing, not installed here: `" in sentence


def test_the_catalogue_is_read_without_loading_models() -> None:
    heavy = "{'ctranslate2', 'numpy', 'starlette', 'uvicorn', 'httpx2'}"
    code = f"import sys, voxgate.models.catalogue; print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.strip() == b"set()"


def test_a_checkpoint_is_found_by_any_spelling_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = weightless(tmp_path / "models" / "mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to(folder)
    spec = find_model(str(folder))
    assert spec.name == "mine"
    assert spec.checkpoint == folder
    assert find_model(spec.address) == spec
    written = ["models/mine", "./models/mine", "models/../models/mine", "~/models/mine", "./link"]
    assert all(find_model(name) == spec for name in written)
    monkeypatch.chdir(folder)
    assert find_model(".") == find_model("../mine") == spec
    assert find_model(MODEL) is BUILT_IN_MODELS[MODEL]
    assert BUILT_IN_MODELS[MODEL].address == MODEL


def test_a_checkpoint_is_inspected_without_torch(tmp_path: Path) -> None:
    folder = weightless(tmp_path / "mine")
    code = (
        "import sys\n"
        "from voxgate.models.catalogue import find_model\n"
        f"assert find_model({str(folder)!r}).name == 'mine'\n"
        "print({'torch', 'numpy', 'safetensors', 'mistral_common'} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.strip() == b"set()"


def test_a_checkpoint_has_the_capabilities_of_its_family(tmp_path: Path) -> None:
    able = find_model(str(weightless(tmp_path / "mine"))).capabilities
    assert (able.window_s, able.times) == (30.0, "none")
    assert set(able.languages) == {"en", "fr", "es", "pt", "hi", "de", "nl", "it"}
    assert able.options == {
        *("temperature", "top_p", "seed", "max_tokens", "stop"),
        *("frequency_penalty", "presence_penalty"),
    }


def test_the_extra_installs_what_a_checkpoint_needs(tmp_path: Path) -> None:
    spec = find_model(str(weightless(tmp_path / "mine")))
    assert spec.distributions == ("torch", "safetensors", "mistral-common")
    sentence = why_not_installed(replace(spec, distributions=("torch", "no-such-thing")))
    assert sentence is not None
    assert "mine needs no-such-thing" in sentence
    assert sentence.endswith("[voxtral]'`.")


@pytest.mark.parametrize("name", ["./none", "/none/at/all", "~nobody/none", "."])
def test_a_folder_without_a_checkpoint_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError):
        find_model(name)


def test_a_name_that_is_not_a_path_is_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    weightless(tmp_path / "mine")
    for name in ("mine", "owner/mine", ""):
        with pytest.raises(UnknownModelError):
            find_model(name)


def test_a_named_model_is_never_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError):
        find_named_model(str(weightless(tmp_path / "mine")))
