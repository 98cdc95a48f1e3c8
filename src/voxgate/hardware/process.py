"""What this process and its children compute with: threads and instructions.

Both are in the environment: there PyTorch, oneDNN, MKL and CTranslate2 read once which instructions
they may use, and `cores.thread_count` how many threads. Imports no torch.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from voxgate.hardware.cores import THREADS_VARIABLE
from voxgate.hardware.level import KERNELS_VARIABLE, check_level, hold_libraries

if TYPE_CHECKING:
    from voxgate.settings import Settings


def configure_process(settings: Settings) -> None:
    """Have this process and its children compute as the settings say.

    Call it before torch is imported. Raises `SettingsError` for a level of instructions that this
    processor lacks.
    """
    check_level(settings.kernels)
    os.environ[KERNELS_VARIABLE] = settings.kernels
    os.environ[THREADS_VARIABLE] = str(settings.threads)
    hold_libraries()
