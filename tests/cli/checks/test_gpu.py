from pathlib import Path
from typing import Any

import pytest
import torch

from voxgate.cli.checks import gpu
from voxgate.cli.checks.check import Check
from voxgate.settings import Settings

LINE = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed Feb 26 02:03:08 UTC 2025\n"
"""As the kernel's module says it of itself."""


def card() -> Check:
    (check,) = gpu.checks(Settings())
    return check


def test_a_card_that_pytorch_cannot_use_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "DRIVER", tmp_path / "version")
    if torch.cuda.is_available():
        assert card().state == "ok"
        assert torch.cuda.get_device_name(0) in card().found
        return
    assert (card().state, card().mend) == ("ok", "")
    (tmp_path / "version").write_text(LINE)
    check = card()
    assert check.state == "note"
    assert "NVIDIA's driver 570.124.06" in check.found
    if torch.version.cuda is None:
        plain = torch.__version__.partition("+")[0]
        assert check.mend == f"pip install --force-reinstall torch=={plain}"
    else:
        assert "a newer driver" in check.mend


def test_a_card_that_is_asked_for_and_not_there_is_a_problem() -> None:
    if torch.cuda.is_available():
        pytest.skip("a card of NVIDIA's is here")
    (check,) = gpu.checks(Settings(device="cuda"))
    assert (check.state, check.mend) == ("problem", "VOXGATE_DEVICE=cpu")
    assert "'cuda'" in check.found


@pytest.mark.parametrize(
    ("settings", "capability", "says"),
    [
        ({}, (8, 0), "computes on it where it fits, as 'exact'"),
        ({"profile": "exact"}, (12, 0), "computes on it where it fits, as 'exact'"),
        ({}, (7, 5), "this card has no bfloat16"),
        ({"profile": "fast"}, (9, 0), "VOXGATE_PROFILE=fast"),
        ({"device": "cpu"}, (9, 0), "on 'cpu': VOXGATE_DEVICE says so"),
        ({"device": "cuda:1"}, (7, 5), "on 'cuda:1': VOXGATE_DEVICE says so"),
    ],
)
def test_it_says_where_models_compute(
    settings: dict[str, Any], capability: tuple[int, int], says: str
) -> None:
    """The same as `engine.placing` decides."""
    assert says in gpu.computing(capability, Settings(**settings))
