"""What a profile is called, and what it takes: said before anything is loaded."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.hardware import processors
from tests.hardware.processors import processor
from tests.voxtral.checkpoints import altered
from voxgate.errors import CheckpointError, UsageError
from voxgate.voxtral.checkpoint.directory import open_directory
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.quantization.profiles import PROFILES, Profile, parse_profile, weight_bytes


def copied(request: pytest.FixtureRequest, source: str, tmp_path: Path) -> Path:
    """A checkpoint that may have quantised weights put beside it."""
    folder: Path = request.getfixturevalue(source)
    return Path(shutil.copytree(folder, tmp_path / source))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("source", ["hf", "sharded", "mistral", "hf_bf16", "published"])
def test_what_is_announced_is_what_is_loaded(
    request: pytest.FixtureRequest, tmp_path: Path, source: str, profile: Profile
) -> None:
    folder = copied(request, source, tmp_path)
    announced = weight_bytes(open_directory(folder), profile)
    loaded = Voxtral.load(folder, profile).nbytes
    print(f"{source}, {profile}: {announced} bytes announced, {loaded} loaded")
    # What describes each matrix, a kilobyte, counts in a toy; in a model of some size it does not.
    assert announced == pytest.approx(loaded, rel=0.02 if source == "published" else 0.2)
    if profile == "exact":
        assert announced == pytest.approx(loaded, rel=0.001)


def tie(weights: dict[str, torch.Tensor]) -> None:
    del weights["language_model.lm_head.weight"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_head_that_is_the_embeddings_counts_where_it_is_held_by_itself(
    hf: Path, tmp_path: Path, profile: Profile
) -> None:
    folder = altered(hf, tmp_path / "tied", tie, lambda c: c.pop("tie_word_embeddings"))
    table = json.loads((folder / "config.json").read_text("utf-8"))
    table["text_config"].pop("tie_word_embeddings", None)
    (folder / "config.json").write_text(json.dumps(table))
    announced = weight_bytes(open_directory(folder), profile)
    assert announced == pytest.approx(Voxtral.load(folder, profile).nbytes, rel=0.1)


def test_each_profile_takes_less_than_the_one_before(published: Path) -> None:
    sizes = [weight_bytes(open_directory(published), profile) for profile in PROFILES]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 3


def test_sixteen_bits_are_widened_where_they_would_be_emulated(
    hf_bf16: Path, tmp_path: Path
) -> None:
    """Also on Cascade Lake, where oneDNN says that it supports them."""
    sizes = []
    for flags in (processors.ZEN_4, processors.CASCADE_LAKE, processors.HASWELL):
        with processor(flags, tmp_path):
            sizes.append(weight_bytes(open_directory(hf_bf16), "exact"))
    narrow, *wide = sizes
    assert wide == [pytest.approx(2 * narrow, rel=0.3)] * 2


def test_an_unknown_name_is_told_the_others(hf: Path) -> None:
    with pytest.raises(UsageError, match=r"'int4'.*exact, balanced, fast"):
        parse_profile("int4")
    with pytest.raises(UsageError, match=r"'int4'.*exact, balanced, fast"):
        Voxtral.load(hf, "int4")  # type: ignore[arg-type]


@pytest.mark.parametrize("option", [{"dtype": torch.float32}, {"device": "cuda"}])
def test_what_a_quantised_profile_cannot_follow_is_refused(
    hf: Path, option: dict[str, object]
) -> None:
    with pytest.raises(UsageError, match="'fast' has fixed types"):
        Voxtral.load(hf, "fast", **option)  # type: ignore[arg-type]


def test_who_only_asks_what_fits_imports_no_torch(hf: Path) -> None:
    script = (
        "import sys; from voxgate.voxtral.checkpoint.directory import open_directory;"
        "from voxgate.voxtral.quantization.profiles import weight_bytes;"
        f"assert weight_bytes(open_directory({str(hf)!r}), 'balanced') > 0; sys.exit('torch' in "
        f"sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_footprint_of_broken_weights_is_refused(hf: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(hf, tmp_path / "cut"))
    file = folder / "model.safetensors"
    weights = load_file(file)
    save_file({name: weight.to(torch.int8) for name, weight in weights.items()}, file)
    with pytest.raises(CheckpointError, match="as I8"):
        weight_bytes(open_directory(folder), "fast")
