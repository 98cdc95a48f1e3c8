"""A checkpoint of full size that takes almost no space on disk."""

from pathlib import Path

import torch

from voxgate.benchmarking import synthetic
from voxgate.voxtral.checkpoint.loader import Checkpoint
from voxgate.voxtral.tokenizer import Tokenizer


def test_it_has_the_published_size_and_takes_no_space(tmp_path: Path) -> None:
    synthetic.write_synthetic(tmp_path / "mini")
    checkpoint = Checkpoint.open(tmp_path / "mini")
    assert checkpoint.nbytes(torch.bfloat16) == 2 * 4_676_271_104 + 2 * 1500 * 1280
    blocks = sum(file.stat().st_blocks for file in (tmp_path / "mini").iterdir())
    assert 512 * blocks < 50e6  # nearly all of it the vocabulary
    assert Tokenizer.open(tmp_path / "mini" / "tekken.json", checkpoint.config).audio == 24
