"""Files of tensors: what a header may announce, and bytes that are not there."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from voxgate.errors import CheckpointError
from voxgate.voxtral.checkpoint.loader import TensorFile

F32 = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}


def write(path: Path, header: Any, data: int = 16) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(data))
    return path


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_tensors_come_back_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    dice = torch.Generator().manual_seed(4)
    shapes = {"b": (3, 5), "a": (7,), "scalar": (), "empty": (0, 3), "c": (2, 3, 4)}
    tensors = {name: torch.randn(shape, generator=dice) for name, shape in shapes.items()}
    tensors = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    save_file(tensors, tmp_path / "x.safetensors", metadata={"format": "pt"})
    file = TensorFile(tmp_path / "x.safetensors")
    assert {name: announced.shape for name, announced in file.tensors.items()} == shapes
    for name, tensor in tensors.items():
        assert file.read(name).dtype == dtype
        assert torch.equal(file.read(name), tensor)


@pytest.mark.parametrize(
    "header",
    [
        [],
        5,
        {"x": 5},
        {"x": F32 | {"data_offsets": [0, 15]}},
        {"x": F32 | {"data_offsets": [4, 20]}},
        {"x": F32 | {"data_offsets": [0, 32], "shape": [8]}},
        {"x": F32 | {"data_offsets": [-16, 0]}},
        {"x": F32 | {"shape": [-4]}},
        {"x": F32 | {"shape": [2**62, 4]}},
        {"x": F32 | {"dtype": "F31"}},
        {"x": F32, "y": F32},
        {},
    ],
)
def test_a_header_that_does_not_fit_its_data_is_refused(tmp_path: Path, header: object) -> None:
    with pytest.raises(CheckpointError, match=r"x\.safetensors cannot be read as safetensors"):
        TensorFile(write(tmp_path / "x.safetensors", header))


@pytest.mark.parametrize("dtype", ["I8", "U8", "F8_E4M3"])
def test_quantised_tensors_are_refused_by_name(tmp_path: Path, dtype: str) -> None:
    header = {"x": {"dtype": dtype, "shape": [16], "data_offsets": [0, 16]}}
    with pytest.raises(CheckpointError, match=f"'x' as {dtype}.*in bf16"):
        TensorFile(write(tmp_path / "x.safetensors", header))


def test_a_file_that_shrinks_after_it_was_opened_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", {"x": F32})
    file = TensorFile(path)
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(CheckpointError, match="ends within the tensor 'x'"):
        file.read("x")


def test_a_file_that_is_gone_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.safetensors", {"x": F32})
    file = TensorFile(path)
    path.unlink()
    for use in (lambda: file.read("x"), lambda: TensorFile(path)):
        with pytest.raises(CheckpointError, match=r"x\.safetensors cannot be read"):
            use()
