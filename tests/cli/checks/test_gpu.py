from pathlib import Path

import pytest
import torch

from voxgate.cli.checks import gpu
from voxgate.cli.checks.check import Check

LINE = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed Feb 26 02:03:08 UTC 2025\n"
"""As the kernel's module says it of itself."""


def card() -> Check:
    (check,) = gpu.checks()
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
