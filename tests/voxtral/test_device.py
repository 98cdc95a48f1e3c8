"""Devices that are named, and are not there."""

from pathlib import Path

import pytest
import torch

from voxgate.errors import UsageError
from voxgate.voxtral.model import Voxtral, resolve_device


def test_a_processor_is_always_there() -> None:
    assert resolve_device("cpu") == resolve_device(torch.device("cpu")) == torch.device("cpu")


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="'gpu' is no device"):
        resolve_device("gpu")


def test_a_card_that_is_not_there_is_refused_before_anything_is_loaded(hf: Path) -> None:
    if torch.cuda.is_available():
        assert resolve_device("cuda").type == "cuda"
        with pytest.raises(UsageError, match="the last of"):
            resolve_device("cuda:99")
    else:
        with pytest.raises(UsageError, match=r"finds no card.*VOXGATE_DEVICE=cpu"):
            Voxtral.load(hf, device="cuda:99")
