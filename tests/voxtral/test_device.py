"""Devices that are named, and are not there."""

from pathlib import Path

import pytest
import torch

from voxgate.errors import UsageError
from voxgate.voxtral.device import found
from voxgate.voxtral.model import Voxtral


def test_a_processor_is_always_there() -> None:
    assert found("cpu") == found(torch.device("cpu")) == torch.device("cpu")


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="'gpu' is no device"):
        found("gpu")


def test_a_card_that_is_not_there_is_refused_before_anything_is_loaded(hf: Path) -> None:
    if torch.cuda.is_available():
        assert found("cuda").type == "cuda"
        with pytest.raises(UsageError, match="the last of"):
            found("cuda:99")
    else:
        with pytest.raises(UsageError, match=r"finds no card.*VOXGATE_DEVICE=cpu"):
            Voxtral.load(hf, device="cuda:99")
