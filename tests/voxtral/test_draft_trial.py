"""Whether drafts can be checked is found by a trial of the loaded network."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import torch

from tests.spoken_digits import CHECKPOINT
from voxgate.voxtral.draft_trial import MOST_ROWS, PassCosts
from voxgate.voxtral.kernels import dispatch
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.quantization.int8 import Int8Linear
from voxgate.voxtral.resumable import run_to_end

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from voxgate.voxtral.quantization.profiles import Profile


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(CHECKPOINT, tmp_path / "digits")


@pytest.mark.parametrize("profile", ["balanced", "fast"])
def test_integer_products_check_drafts(folder: Path, profile: Profile) -> None:
    if dispatch.native_ops() is None:
        pytest.skip("without the native kernels the trial decides")
    trial = run_to_end(Voxtral.load(folder, profile).draft_trial())
    assert trial.reason is None
    assert trial.costs is not None
    assert trial.costs.most_rows == MOST_ROWS
    assert all(trial.costs.of(rows) > 0 for rows in range(1, MOST_ROWS + 1))


def test_the_profile_exact_checks_none(folder: Path) -> None:
    model = Voxtral.load(folder, "exact", dtype=torch.float32)
    assert not model.checks_drafts
    trial = run_to_end(model.draft_trial())
    assert "profile exact" in (trial.reason or "")
    assert trial.costs is None


def test_a_model_of_one_layer_is_tried_as_well(published: Path, tmp_path: Path) -> None:
    model = Voxtral.load(shutil.copytree(published, tmp_path / "published"), "balanced")
    pauses = list(model.draft_trial())
    assert len(pauses) > 20  # between its passes, as a scheduler needs
    assert list(model.draft_trial()) == []  # once is enough


def test_a_product_that_depends_on_the_rows_is_noticed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a last bit that differs in a pass of more than four rows."""
    forward = Int8Linear.forward

    def rounded(layer: Int8Linear, x: Tensor) -> Tensor:
        out = forward(layer, x)
        return torch.nextafter(out, out + 1) if x.numel() // x.shape[-1] > 4 else out

    monkeypatch.setattr(Int8Linear, "forward", rounded)
    model = Voxtral.load(folder, "balanced")
    assert not model.checks_drafts
    assert "a pass of 8 rows" in (run_to_end(model.draft_trial()).reason or "")


def test_what_other_programs_added_to_a_measurement_is_left_out_as_far_as_it_is_known() -> None:
    costs = PassCosts.measured({1: 10.0, 2: 50.0, 4: 30.0, 8: 28.0})
    assert costs.seconds == {1: 10.0, 2: 20.0, 4: 28.0, 8: 28.0}
    assert PassCosts.measured({1: 10.0, 8: 9.0}).seconds == {1: 9.0, 8: 9.0}


def test_costs_that_were_not_measured_are_interpolated() -> None:
    costs = PassCosts({1: 10.0, 4: 13.0, 8: 21.0})
    assert [costs.of(rows) for rows in (1, 2, 4, 6, 8)] == [10.0, 11.0, 13.0, 17.0, 21.0]
    assert costs.most_rows == 8
