"""A process computes with the threads and the instructions that the settings name."""

import json
import os
import subprocess
import sys

import pytest

from voxgate.hardware.level import available_levels

PROBE = """
import json
from voxgate.hardware.process import configure_process
from voxgate.settings import Settings

configure_process(Settings.read())
import torch
from voxgate.hardware.cores import thread_count
from voxgate.voxtral.kernels import onednn

print(json.dumps({
    "threads": thread_count(),
    "torch": torch.backends.cpu.get_cpu_capability(),
    "dtype": str(onednn.many_rows_dtype()).removeprefix("torch."),
    "levels": onednn.int8_levels(),
}))
"""

EXPECTED = {
    "avx2": {"torch": "AVX2", "dtype": "float32", "levels": 63},
    "avxvnni": {"torch": "AVX2", "dtype": "float32", "levels": 127},
    "avx512vnni": {"torch": "AVX512", "dtype": "float32", "levels": 127},
    "avx512bf16": {"torch": "AVX512", "dtype": "bfloat16", "levels": 127},
}


@pytest.mark.parametrize("level", [level for level in available_levels() if level in EXPECTED])
def test_a_forced_level_holds_for_pytorch(level: str) -> None:
    environment = os.environ | {"VOXGATE_KERNELS": level, "VOXGATE_THREADS": "3"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, check=True, capture_output=True, text=True
    )
    assert json.loads(done.stdout) == {"threads": 3, **EXPECTED[level]}
