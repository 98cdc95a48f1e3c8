"""Private operators are found the same at every start, however busy the machine is."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from voxgate.voxtral.kernels import onednn

BUSY = "import torch; a = torch.randn(800, 800); print(flush=True)\nwhile True: a @ a"
STARTS = (30, pytest.param(100, marks=pytest.mark.long))


@pytest.fixture
def _busy_machine() -> Iterator[None]:
    """More threads than cores that compute, until the test is over, and as many of our own."""
    threads = torch.get_num_threads()
    torch.set_num_threads(max(2, os.cpu_count() or 1))
    command = [sys.executable, "-c", BUSY]
    busy = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(os.cpu_count() or 1)]
    for each in busy:
        assert each.stdout is not None
        each.stdout.readline()
    yield
    for each in busy:
        each.kill()
        each.communicate()
    torch.set_num_threads(threads)  # more of them would slow down all tests that follow


@pytest.mark.usefixtures("_busy_machine")
@pytest.mark.parametrize("starts", STARTS)
def test_levels_do_not_depend_on_who_else_computes(starts: int) -> None:
    """Otherwise the same model and seed would now and then give another text."""
    trial = onednn.int8_levels.__wrapped__
    assert {trial() for _ in range(starts)} == {onednn.int8_levels()}
