"""What a processor multiplies by its own instructions, whatever a library supports."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.hardware import processors
from tests.hardware.processors import processor
from voxgate.hardware import native_types
from voxgate.hardware.native_types import is_native_dtype


@pytest.mark.parametrize(
    ("flags", "native"),
    [
        (processors.HASWELL, {"F32"}),
        (processors.ALDER_LAKE, {"F32"}),
        (processors.CASCADE_LAKE, {"F32"}),  # oneDNN "supports" bfloat16 there: it emulates it
        (processors.ZEN_4, {"F32", "BF16"}),
        (processors.SAPPHIRE_RAPIDS, {"F32", "BF16", "F16"}),
        (f"{processors.CASCADE_LAKE} amx_bf16", {"F32", "BF16"}),
        (processors.GRAVITON_2, {"F32", "F16"}),
        (processors.GRAVITON_3, {"F32", "BF16", "F16"}),
    ],
)
def test_native_is_what_has_an_instruction(flags: str, native: set[str], tmp_path: Path) -> None:
    with processor(flags, tmp_path):
        assert {each for each in ("F32", "BF16", "F16") if is_native_dtype(each)} == native


@pytest.mark.parametrize("level", ["avx2", "avxvnni", "avx512vnni"])
def test_a_forced_level_has_no_type_of_a_better_one(level: str, tmp_path: Path) -> None:
    with processor(processors.SAPPHIRE_RAPIDS, tmp_path, level):
        assert not is_native_dtype("BF16")
        assert not is_native_dtype("F16")


def test_without_flags_pytorch_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with processor("", tmp_path):
        native_types.is_faster_than_float32.cache_clear()
        assert is_native_dtype("F32")
        assert is_native_dtype("BF16") == native_types.is_faster_than_float32("BF16")
        monkeypatch.delitem(sys.modules, "torch")
        assert not is_native_dtype("BF16")
    monkeypatch.undo()
    assert sys.modules["torch"] is torch


ONLY_ASKS = """
import sys
from voxgate.hardware.native_types import is_native_dtype
is_native_dtype("BF16")
sys.exit("torch" in sys.modules)
"""


def test_who_only_asks_imports_no_torch() -> None:
    assert subprocess.run([sys.executable, "-c", ONLY_ASKS], check=False).returncode == 0
