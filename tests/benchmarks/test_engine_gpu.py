"""The GPU benchmark on a CPU: the same code, without graphs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it with one thread: more of them wait for each other in loops on a busy machine."""
    command = [sys.executable, "-m", "benchmarks.engine_gpu", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_both_engines_and_their_parity_are_measured() -> None:
    done = run(
        *("--device", "cpu", "--shape", "digits", "--tokens", "2"),
        *("--batches", "1", "2", "--windows", "1", "--json"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    exact, rounded = found["parity"]
    assert exact["dtype"] == "float32"
    assert exact["largest"] <= 5e-5
    assert exact["same_ids"] == exact["ids"]
    assert rounded["dtype"] == "bfloat16"
    assert rounded["mean"] <= 0.05 * rounded["spread"]
    assert exact["steps_are_equal"]
    assert rounded["steps_are_equal"]
    for engine in ("ours", "transformers"):
        figures = found[engine]
        assert figures["encode"]["1"] > 0
        assert list(figures["step"]) == list(figures["whole"]) == ["1", "2"]
    assert "generate(" in done.stdout  # the call of transformers


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an NVIDIA GPU")
def test_without_a_gpu_it_reports_that() -> None:
    done = run()
    assert done.returncode == 2
    assert "finds no GPU" in done.stderr
    assert not done.stdout
