from pathlib import Path
from typing import Any

import pytest
import torch

from voxgate.cli.checks import hardware
from voxgate.cli.checks.check import Check
from voxgate.cli.checks.hardware import check_gpu, check_machine, explain_device
from voxgate.hardware import cpu
from voxgate.settings import Settings

LINE = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.124.06  Wed Feb 26 02:03:08 UTC 2025\n"
"""The kernel module's version file."""


def test_a_gpu_that_pytorch_cannot_use_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "DRIVER_FILE", tmp_path / "version")
    if torch.cuda.is_available():
        assert check_gpu(Settings()).state == "ok"
        assert torch.cuda.get_device_name(0) in check_gpu(Settings()).found
        return
    assert (check_gpu(Settings()).state, check_gpu(Settings()).mend) == ("ok", "")
    (tmp_path / "version").write_text(LINE)
    check = check_gpu(Settings())
    assert check.state == "note"
    assert "NVIDIA driver 570.124.06" in check.found
    if torch.version.cuda is None:
        plain = torch.__version__.partition("+")[0]
        assert check.mend.endswith(f"pip install --force-reinstall torch=={plain}")
    else:
        assert "a newer driver" in check.mend


def test_a_requested_gpu_that_does_not_exist_is_a_problem() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has an NVIDIA GPU")
    check = check_gpu(Settings(device="cuda"))
    assert (check.state, check.mend) == ("problem", "VOXGATE_DEVICE=cpu")
    assert "'cuda'" in check.found


@pytest.mark.parametrize(
    ("settings", "capability", "says"),
    [
        ({}, (8, 0), "computes on it where it fits, as 'exact'"),
        ({"profile": "exact"}, (12, 0), "computes on it where it fits, as 'exact'"),
        ({}, (7, 5), "this GPU has no bfloat16"),
        ({"profile": "fast"}, (9, 0), "VOXGATE_PROFILE=fast"),
        ({"device": "cpu"}, (9, 0), "on 'cpu', as VOXGATE_DEVICE requests"),
        ({"device": "cuda:1"}, (7, 5), "on 'cuda:1', as VOXGATE_DEVICE requests"),
    ],
)
def test_the_device_of_models_is_explained(
    settings: dict[str, Any], capability: tuple[int, int], says: str
) -> None:
    """The same as `models.placement` chooses."""
    assert says in explain_device(capability, Settings(**settings))


def check_processor(flags: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Return the finding on an x86 processor with these flags."""
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(cpu, "CPUINFO", path)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cpu.cpu_flags.cache_clear()
    try:
        (check,) = (check for check in check_machine() if check.name == "processor")
    finally:
        cpu.cpu_flags.cache_clear()
    return check


@pytest.mark.parametrize(
    ("flags", "state", "says"),
    [
        ("sse4_2 avx", "note", "no avx2"),
        ("avx2 fma", "ok", "avx2; bfloat16 is emulated"),
        (
            "avx2 avx512f avx512bw avx512vl avx512dq avx512_vnni amx_bf16",
            "ok",
            "avx2, avx512f, avx512_vnni, amx_bf16; bfloat16 is computed with",
        ),
        ("", "ok", "does not list"),
    ],
)
def test_the_relevant_flags_of_a_processor(
    flags: str, state: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = check_processor(flags, tmp_path / "cpuinfo", monkeypatch)
    assert check.state == state
    assert says in check.found
