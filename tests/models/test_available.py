"""Installed models by name, in the command line and in a server."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.api.serving import recording, served
from tests.cli.command import DEADLINE_S, CliRunner, isolated_cli
from tests.failures import raises
from tests.sounds import SAMPLE
from tests.spoken_digits import CHECKPOINT
from voxgate.errors import (
    ChangedCheckpointError,
    RegistryError,
    SettingsError,
    UnknownModelError,
)
from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import BUILT_IN_MODELS, find_named_model
from voxgate.models.store.registry import Registry
from voxgate.prices import parse_prices
from voxgate.settings import Settings


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CliRunner]:
    with isolated_cli(tmp_path) as runner:
        yield runner


def test_installed_models_are_listed_after_built_in_ones(
    registry: Registry, settings: Settings, checkpoint: Path
) -> None:
    models = AvailableModels(settings)
    assert list(models) == list(BUILT_IN_MODELS)
    registry.add(checkpoint, "acme/tiny")
    assert list(models) == [*BUILT_IN_MODELS, "acme/tiny"]
    spec = models["acme/tiny"]
    assert (spec.name, spec.checkpoint) == ("acme/tiny", checkpoint)
    assert {spec.name for spec in models.values()} == set(models)
    registry.remove("acme/tiny")
    with pytest.raises(UnknownModelError, match="acme/tiny"):
        find_named_model("acme/tiny", models)


@pytest.mark.parametrize("name", ["acme/new", "tiny", "Systran/faster-whisper-base"])
def test_a_record_that_cannot_be_read_hides_no_other_model(
    registry: Registry, settings: Settings, checkpoint: Path, name: str
) -> None:
    registry.add(checkpoint, "acme/tiny")
    record = registry.paths.record(name)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text('{"version": 2}')
    models = AvailableModels(settings)
    assert list(models) == [*(each for each in BUILT_IN_MODELS if each != name), "acme/tiny"]
    assert [spec.name for spec in models.values()] == list(models)
    assert models["acme/tiny"].checkpoint == checkpoint
    asked = [name, "openai/whisper-base"] if name in BUILT_IN_MODELS else [name, name.upper()]
    for each in asked:
        with pytest.raises(RegistryError, match=f"`voxgate models rm {name}` removes it"):
            models[each]


async def test_a_server_starts_beside_a_record_that_cannot_be_read(cli: CliRunner) -> None:
    record = cli.folder / "home" / "models" / "acme" / "new.json"
    record.parent.mkdir(parents=True)
    record.write_text('{"version": 2}')
    done = cli.run("models")
    assert done.returncode == 1
    assert "openai/whisper-base" in done.stdout or "faster-whisper-base" in done.stdout
    assert "`voxgate models rm acme/new` removes it" in done.stderr
    async with served(cli) as server:
        listed = (await server.client.get("/models")).json()["data"]
        assert "Systran/faster-whisper-base" in {each["id"] for each in listed}
        answer = await server.client.post(
            "/audio/transcriptions", json={**recording(), "model": "acme/new"}
        )
        assert answer.status_code == 503, answer.text
    assert "rm acme/new" in "\n".join(server.said)


def test_an_alias_without_a_model_names_the_pull_command(settings: Settings) -> None:
    with raises("no_endpoints", match=r"pull mistralai/Voxtral-Mini-3B-2507` \(9\.4 GB\)"):
        find_named_model("voxtral-mini-latest", AvailableModels(settings))


def test_default_stands_for_the_default_model_unless_the_settings_say_another(
    registry: Registry, settings: Settings, checkpoint: Path
) -> None:
    built_in = find_named_model("default", AvailableModels(settings))
    assert built_in.name == "Systran/faster-whisper-base"
    registry.add(checkpoint, "acme/tiny")
    assert find_named_model("Default", AvailableModels(settings)).name == "acme/tiny"
    chosen = replace(settings, model_aliases=(("default", "whisper-base"),))
    assert find_named_model("default", AvailableModels(chosen)).name == built_in.name


def test_an_alias_of_the_settings_stands_for_its_model(
    registry: Registry, settings: Settings, checkpoint: Path
) -> None:
    base = "Systran/faster-whisper-base"
    pairs = (("Speech-1", "openai/whisper-base"), ("tiny", "acme/tiny"), ("twice", "speech-1"))
    models = AvailableModels(replace(settings, model_aliases=pairs))
    registry.add(checkpoint, "acme/tiny")
    assert models["speech-1"].name == models["SPEECH-1"].name == base
    assert "speech-1" in models[base].aliases
    assert models["tiny"].aliases == ("tiny",)
    assert list(models) == [base, "acme/tiny"]
    with pytest.raises(UnknownModelError, match="'twice' is 'speech-1' by 'model_aliases'"):
        find_named_model("twice", models)
    with pytest.raises(UnknownModelError, match="'twice'"):
        models.check_aliases()
    AvailableModels(replace(settings, model_aliases=(("x", "whisper-small"),))).check_aliases()


@pytest.mark.parametrize("setting", ["answer_model", "draft_model"])
def test_a_model_that_helps_others_must_be_known(tmp_path: Path, setting: str) -> None:
    """It need not be installed: it may be, before somebody asks."""
    settings = Settings(home=tmp_path)
    for known in ("", "voxtral-mini", "whisper-1"):
        changed: Any = {setting: known}
        AvailableModels(replace(settings, **changed)).check_helpers()
    changed = {setting: "voxtral-mimi"}
    with pytest.raises(UnknownModelError, match=rf"'{setting}': No model .*Voxtral Mini"):
        AvailableModels(replace(settings, **changed)).check_helpers()


BASE = "Systran/faster-whisper-base"


@pytest.mark.parametrize(
    ("listed", "own"),
    [
        ("whisper-1", BASE),
        ("OpenAI/Whisper-Base", BASE),
        (BASE, BASE),
        ("default", "acme/tiny"),
        ("speech", "acme/tiny"),
        ("acme/tiny", "acme/tiny"),
        ("voxtral-mini-latest", "mistralai/Voxtral-Mini-3B-2507"),  # not installed
        ("Systran/faster-whisper-small", "Systran/faster-whisper-small"),
        ("*", "*"),
    ],
)
def test_a_price_is_that_of_the_model_by_whatever_name(
    registry: Registry, settings: Settings, checkpoint: Path, listed: str, own: str
) -> None:
    registry.add(checkpoint, "acme/tiny")
    prices = parse_prices(f"{listed} = 0.006/minute", "this test")
    chosen = replace(settings, prices=prices, model_aliases=(("speech", "acme/tiny"),))
    assert [each.model for each in AvailableModels(chosen).prices().entries] == [own]


@pytest.mark.parametrize(
    ("listed", "nearest"),
    [("whisper-bass", BASE), ("acme/tinny", "acme/tiny"), ("voxtral-minni", "Voxtral Mini")],
)
def test_a_price_of_no_model_is_refused(
    registry: Registry, settings: Settings, checkpoint: Path, listed: str, nearest: str
) -> None:
    registry.add(checkpoint, "acme/tiny")
    chosen = replace(settings, prices=parse_prices(f"{listed} = 1/minute", "this test"))
    with pytest.raises(UnknownModelError, match=f"'prices' lists '{listed}'.*Nearest: {nearest}"):
        AvailableModels(chosen).prices()


def test_a_price_of_a_changed_model_is_kept(
    registry: Registry, settings: Settings, checkpoint: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "mine"))
    registry.add(folder)
    (folder / "config.json").write_text("{}")
    chosen = replace(settings, prices=parse_prices("mine = 1/minute", "this test"))
    assert [each.model for each in AvailableModels(chosen).prices().entries] == ["mine"]


def test_a_changed_model_is_refused_and_not_listed(
    registry: Registry, settings: Settings, checkpoint: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "mine"))
    registry.add(folder)
    with (folder / "config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(ChangedCheckpointError, match=r"config\.json"):
        find_named_model("mine", AvailableModels(settings))
    assert "mine" not in list(AvailableModels(settings))


def test_an_installed_model_transcribes_by_its_name(cli: CliRunner) -> None:
    assert cli.run("models", "add", CHECKPOINT, "--name", "acme/digits").returncode == 0
    done = cli.run("transcribe", SAMPLE, "-m", "acme/digits", "-f", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["model"] == "acme/digits"
    assert answer["text"]


def test_an_engine_is_started_by_the_name_of_an_installed_model(cli: CliRunner) -> None:
    assert cli.run("models", "add", CHECKPOINT, "--name", "acme/digits").returncode == 0
    with cli.running("engine", "acme/digits", "--socket", cli.temp / "engine") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"ready": "acme/digits"}
        process.terminate()
        assert process.wait(DEADLINE_S) == 0


def test_the_model_that_was_installed_last_is_the_default(cli: CliRunner) -> None:
    for name in ("acme/first", "acme/last"):
        added = cli.run("models", "add", CHECKPOINT, "--name", name)
        assert added.returncode == 0
        assert added.stderr.endswith(f"voxgate: {name} is used where no model is named.\n")
    done = cli.run("transcribe", SAMPLE, "-f", "json")
    assert json.loads(done.stdout)["model"] == "acme/last"
    assert done.stderr == ""
    assert cli.run("models", "rm", "acme/last").returncode == 0
    done = cli.run("transcribe", SAMPLE, "-f", "json")
    assert json.loads(done.stdout)["model"] == "acme/first"


async def test_a_server_lists_an_installed_model_and_transcribes_with_it(cli: CliRunner) -> None:
    assert cli.run("models", "add", CHECKPOINT, "--name", "acme/digits").returncode == 0
    async with served(cli) as server:
        models = (await server.client.get("/models")).json()["data"]
        assert [model["id"] for model in models] == [*BUILT_IN_MODELS, "acme/digits"]
        (listed,) = (model for model in models if model["id"] == "acme/digits")
        assert {"max_tokens", "stop", "temperature"} <= set(listed["supported_parameters"])
        asked = recording(model="acme/digits", max_tokens=3, response_format="verbose_json")
        answer = await server.client.post("/audio/transcriptions", json=asked, timeout=300)
        assert answer.status_code == 200, answer.text
        assert answer.json()["text"]
        assert 1 <= len(answer.json()["text"].split()) <= 3
        missing = await server.client.post(
            "/audio/transcriptions", json=recording(model="voxtral-small-latest")
        )
        assert missing.status_code == 404
        assert "voxgate models pull" in missing.json()["error"]["message"]


@pytest.mark.parametrize("model", ["whisper-1", "*"])
def test_a_model_that_counts_no_tokens_has_no_price_by_them(settings: Settings, model: str) -> None:
    priced = replace(settings, prices=parse_prices(f"{model} = 2/million tokens", "this test"))
    assert AvailableModels(priced).prices().entries
    mute = {
        name: replace(spec, capabilities=replace(spec.capabilities, counts_tokens=False))
        for name, spec in BUILT_IN_MODELS.items()
    }
    with pytest.raises(SettingsError, match="by the token for Systran/faster-whisper-base, which"):
        AvailableModels(priced, mute).prices()


def test_a_price_by_the_token_may_be_set_before_its_model_is_installed(settings: Settings) -> None:
    name = "mistralai/Voxtral-Mini-3B-2507"
    priced = replace(settings, prices=parse_prices(f"{name} = 2/million tokens", "this test"))
    (entry,) = AvailableModels(priced).prices().entries
    assert entry.model == name
