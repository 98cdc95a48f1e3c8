import os

import pytest
import torch

from voxgate.cli.checks.software import check_engines
from voxgate.hardware.cpu import usable_cores
from voxgate.voxtral.kernels import ops


def test_the_build_and_what_it_makes_of_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    whisper, extra, build, kernels = check_engines()
    assert (whisper.state, extra.state, build.state) == ("ok", "ok", "ok")
    assert torch.__version__ in build.found
    assert torch.backends.cpu.get_cpu_capability() in build.found
    assert "huggingface_hub" in extra.found
    reason = ops.why_unavailable()
    assert (kernels.state, kernels.found) == (
        ("note", reason) if reason else ("ok", "native kernels are used where they are faster")
    )


def test_threads_that_are_withheld_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = torch.get_num_threads()
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")
    torch.set_num_threads(1)  # as the variable does at the start of a process
    try:
        _, _, build, _ = check_engines()
    finally:
        torch.set_num_threads(threads)
    if usable_cores() == 1:  # then nothing is withheld
        assert (build.state, build.mend) == ("ok", "")
    else:
        assert (build.state, build.mend) == ("note", "unset OMP_NUM_THREADS")
