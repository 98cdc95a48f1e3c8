"""A checkpoint that takes no room and is one all the same; and floors that follow its shape."""

from pathlib import Path

import pytest
import torch

from voxgate.benchmarking import synthetic
from voxgate.benchmarking.roofline import Roofline, roofline_rtf
from voxgate.voxtral.checkpoint.directory import open_directory
from voxgate.voxtral.checkpoint.loader import Checkpoint
from voxgate.voxtral.tokenizer import Tokenizer


def test_it_has_the_published_size_and_takes_no_room(tmp_path: Path) -> None:
    synthetic.write_synthetic(tmp_path / "mini")
    checkpoint = Checkpoint.open(tmp_path / "mini")
    assert checkpoint.nbytes(torch.bfloat16) == 2 * 4_676_271_104 + 2 * 1500 * 1280
    blocks = sum(file.stat().st_blocks for file in (tmp_path / "mini").iterdir())
    assert 512 * blocks < 50e6  # nearly all of it the vocabulary
    assert Tokenizer.open(tmp_path / "mini" / "tekken.json", checkpoint.config).audio == 24


def test_floors_are_what_products_and_reading_take(tmp_path: Path) -> None:
    """Mini, reckoned by hand from its shape; at a tenth of the speed, ten times as long."""
    synthetic.write_synthetic(tmp_path / "mini")
    config = open_directory(tmp_path / "mini").config
    fast = Roofline(read_bytes_per_s=40e9, wide_ops_per_s=800e9, int8_ops_per_s=1600e9)
    slow = Roofline(read_bytes_per_s=4e9, wide_ops_per_s=80e9, int8_ops_per_s=160e9)
    for profile, seconds in {"exact": 24.0, "balanced": 12.0, "fast": 8.9}.items():
        assert 30 * roofline_rtf(config, profile, fast) == pytest.approx(seconds, rel=0.05)  # type: ignore[arg-type]
        ratio = roofline_rtf(config, profile, slow) / roofline_rtf(config, profile, fast)  # type: ignore[arg-type]
        assert ratio == pytest.approx(10.0)
