from pathlib import Path
from typing import Any

import pytest
import torch

from tests.hardware import processors
from tests.hardware.processors import processor
from voxgate.cli.checks import hardware
from voxgate.cli.checks.check import Check
from voxgate.cli.checks.hardware import check_cores, check_gpu, check_machine, explain_device
from voxgate.hardware.cores import Cores
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


def check_processor() -> Check:
    (check,) = (check for check in check_machine() if check.name == "processor")
    return check


@pytest.mark.parametrize(
    ("flags", "state", "says"),
    [
        ("sse4_2 avx", "note", "no avx2"),
        (processors.HASWELL, "ok", "avx2; bfloat16 is emulated: float32 is used"),
        (
            processors.CASCADE_LAKE,
            "ok",
            "avx2, avx512f, avx512_vnni; bfloat16 is emulated: float32 is used",
        ),
        (
            f"{processors.CASCADE_LAKE} amx_bf16",
            "ok",
            "avx2, avx512f, avx512_vnni, amx_bf16; bfloat16 by instructions",
        ),
        ("", "ok", "does not list"),
    ],
)
def test_the_relevant_flags_of_a_processor(
    flags: str, state: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    with processor(flags, tmp_path):
        check = check_processor()
    assert check.state == state
    assert says in check.found


def test_a_forced_level_is_all_that_a_processor_has(tmp_path: Path) -> None:
    with processor(processors.SAPPHIRE_RAPIDS, tmp_path, "avx2"):
        found = check_processor().found
    assert "avx2; VOXGATE_KERNELS allows no others; bfloat16 is emulated" in found


@pytest.mark.parametrize(
    ("cores", "environ", "found"),
    [
        (Cores(2, 2, 2), {}, "2 cores of 2 processors usable; 2 threads"),
        (Cores(1, 1, 1), {}, "1 core of 1 processor usable; 1 thread"),
        (
            Cores(16, 16, 8, 2.5),
            {},
            "8 cores of 16 processors usable; 3 threads, since hyper-threads share a core",
        ),
        (
            Cores(16, 4, 4),
            {},
            "4 cores of 16 processors usable; 4 threads, since the process is bound to",
        ),
        (
            Cores(2, 1, 1),
            {},
            "1 core of 2 processors usable; 1 thread, since the process is bound to 1 processor",
        ),
        (
            Cores(2, 2, 2),
            {"VOXGATE_THREADS": "1", "OMP_NUM_THREADS": "2"},
            "2 cores of 2 processors usable; 1 thread, since VOXGATE_THREADS is 1",
        ),
        (
            Cores(2, 2, 2),
            {"OMP_NUM_THREADS": "4"},
            "2 cores of 2 processors usable; 4 threads, since OMP_NUM_THREADS is 4",
        ),
    ],
)
def test_the_threads_and_why_there_are_no_more(
    cores: Cores, environ: dict[str, str], found: str
) -> None:
    check = check_cores(cores, environ)
    assert check.state == "ok"
    assert check.found.startswith(found)
    assert ("since" in check.found) == ("since" in found)
    assert ("the quota is 2.5 processors" in check.found) == (cores.quota == 2.5)


def test_threads_that_are_withheld_are_noted() -> None:
    check = check_cores(Cores(2, 2, 2), {"OMP_NUM_THREADS": "1"})
    assert (check.state, check.mend) == ("note", "unset OMP_NUM_THREADS")
