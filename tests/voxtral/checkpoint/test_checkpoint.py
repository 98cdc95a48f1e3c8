"""Damaged weights are refused by what is wrong with them; the others load within their size."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.voxtral import checkpoints
from voxgate.errors import CheckpointError, InsufficientMemoryError
from voxgate.voxtral.checkpoint.loader import Checkpoint
from voxgate.voxtral.network import Network

HEAD = {"hf": "language_model.lm_head.weight", "mistral": "output.weight"}
NORM = {HEAD["hf"]: "language_model.model.norm.weight", HEAD["mistral"]: "norm.weight"}


Spoil = Callable[[dict[str, torch.Tensor], str], object]


def misshape(weights: dict[str, torch.Tensor], name: str) -> None:
    weights[name] = weights[name].T.contiguous()


@pytest.mark.parametrize("layout", ["hf", "mistral"])
@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda weights, name: weights.pop(NORM[name]), "lacks the tensor '.*norm.weight'"),
        (misshape, r"'{}' in the shape \[96, 4096\].*\[4096, 96\]"),
        (lambda weights, name: weights.update({name: weights[name].to(torch.int8)}), "'{}' as I8"),
        (lambda weights, name: weights.update({"x" + name: torch.ones(1)}), "'x{}'"),
    ],
    ids=["missing", "misshapen", "quantised", "extra"],
)
def test_a_wrong_tensor_is_named(
    request: pytest.FixtureRequest, tmp_path: Path, layout: str, spoil: Spoil, sentence: str
) -> None:
    source: Path = request.getfixturevalue(layout)
    name = HEAD[layout]
    spoilt = checkpoints.altered(source, tmp_path / "spoilt", lambda weights: spoil(weights, name))
    with pytest.raises(CheckpointError, match=sentence.format(name)):
        Checkpoint.open(spoilt)


def test_a_tensor_that_only_the_index_has_is_named(sharded: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(sharded, tmp_path / "shards"))
    index = json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))
    shard = folder / index["weight_map"]["language_model.model.norm.weight"]
    weights = load_file(shard)
    del weights["language_model.model.norm.weight"]
    save_file(weights, shard)
    with pytest.raises(CheckpointError, match=r"'language_model\.model\.norm\.weight'"):
        Checkpoint.open(folder)


@pytest.mark.parametrize("kept", [0, 7, 8, 1000, 0.5, 0.9999])
def test_a_file_that_is_cut_off_is_named(hf: Path, tmp_path: Path, kept: float) -> None:
    folder = Path(shutil.copytree(hf, tmp_path / "cut"))
    whole = (folder / "model.safetensors").read_bytes()
    length = int(kept * len(whole)) if isinstance(kept, float) else kept
    (folder / "model.safetensors").write_bytes(whole[:length])
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read"):
        Checkpoint.open(folder)


@pytest.mark.parametrize("beginning", [b"\xff" * 64, b"\x08" + 7 * b"\0" + b"not json"])
def test_a_file_of_something_else_is_named(hf: Path, tmp_path: Path, beginning: bytes) -> None:
    folder = Path(shutil.copytree(hf, tmp_path / "other"))
    (folder / "model.safetensors").write_bytes(beginning + bytes(1000))
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read"):
        Checkpoint.open(folder)


def test_more_than_the_memory_holds_is_refused_before_it_is_read(hf: Path, tmp_path: Path) -> None:
    """The header announces 6 TiB; the file takes no room."""
    folder = Path(shutil.copytree(hf, tmp_path / "giant"))
    sizes = {96: 2**20, 4096: 2**20}  # width and vocabulary
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["text_config"] |= {"hidden_size": sizes[96], "vocab_size": sizes[4096]}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    shapes = {n: tuple(w.shape) for n, w in load_file(folder / "model.safetensors").items()}
    checkpoints.write_sparse(
        folder / "model.safetensors",
        {name: [sizes.get(size, size) for size in shape] for name, shape in shapes.items()},
    )
    checkpoint = Checkpoint.open(folder)
    assert checkpoint.nbytes(torch.bfloat16) > 6 * 2**40
    with pytest.raises(InsufficientMemoryError, match=r"needs 8\d\d\d\.\d GiB.*bfloat16.*are free"):
        checkpoint.load(torch.bfloat16)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_loading_takes_the_model_and_one_tensor(published: Path, dtype: str) -> None:
    """In a process of its own, whose peak is set back just before."""
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(published), dtype],
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    model, peak = map(int, run.stdout.split())
    largest = 131_072 * 192 * 4  # as stored
    allowance = 24 * 2**20
    print(f"{model >> 20} MiB of model, {peak >> 20} MiB at the peak")
    assert model > 100e6
    assert model <= peak <= model + largest + allowance


MEASURE = """
import sys
from pathlib import Path

import torch
from voxgate.voxtral.checkpoint.loader import Checkpoint

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))

checkpoint = Checkpoint.open(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")  # the peak is what there is
before = peak()
network = checkpoint.load(getattr(torch, sys.argv[2]))
print(sum(weight.nbytes for weight in network.parameters()), peak() - before)
"""


def test_it_is_loaded_into_the_type_that_is_wanted(hf_bf16: Path, network: Network) -> None:
    assert Checkpoint.open(hf_bf16).dtype == torch.bfloat16
    narrow = Checkpoint.open(hf_bf16).load(torch.bfloat16)
    wide = Checkpoint.open(hf_bf16).load(torch.float32)
    for name, weight in network.named_parameters():
        stored = weight.bfloat16()
        positions = name == "encoder.positions"  # stay in float32, as the reference keeps them
        kept = torch.float32 if positions else torch.bfloat16
        assert narrow.get_parameter(name).dtype == kept
        assert torch.equal(wide.get_parameter(name), stored.float()), name
        assert torch.equal(narrow.get_parameter(name).bfloat16(), stored), name
