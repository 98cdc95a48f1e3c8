"""The memory of this machine and of its GPUs, as the page of the server shows it."""

import psutil

from voxgate.hardware.gpu import visible_gpus
from voxgate.providers.inspection import inspect_memory


def test_the_memory_of_the_machine_and_of_each_gpu_is_known() -> None:
    machine, *cards = inspect_memory()
    assert 0 < machine.free <= machine.total <= psutil.virtual_memory().total
    assert [card.total for card in cards] == [gpu.total_bytes for gpu in visible_gpus()]
