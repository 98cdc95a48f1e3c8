"""What a driver tells of its cards. NVIDIA's is scripted here: it answers as its manual says."""

from ctypes import c_uint
from typing import Any

import pytest
import torch

from voxgate.hardware import gpu
from voxgate.hardware.gpu import Gpu, NvidiaDriver, select_visible, torch_cuda_version

GB = 10**9
OLD, NEW = ("GPU-1a", "Old 8 GB", (7, 5), 8 * GB, 5 * GB), ("GPU-1b", "New", (9, 0), 80 * GB, GB)


class Nvml:
    """NVIDIA's management library, as far as it is called: codes, and results by address."""

    def __init__(
        self, *told: tuple[str, str, tuple[int, int], int, int], cuda: int = 13010
    ) -> None:
        self.told, self.cuda, self.refusing = told, cuda, dict[str, int]()

    def __getattr__(self, function: str) -> Any:
        def answer(*arguments: Any) -> int:
            if not (code := self.refusing.get(function, 0)):
                getattr(self, f"_{function}")(*[getattr(a, "_obj", a) for a in arguments])
            return code

        if function.startswith("_") or not hasattr(type(self), f"_{function}"):
            raise AttributeError(f"undefined symbol: {function}")
        return answer

    def _nvmlInit_v2(self) -> None:  # noqa: N802 (NVIDIA's name for it, as all below)
        pass

    def _nvmlSystemGetCudaDriverVersion_v2(self, version: Any) -> None:  # noqa: N802
        version.value = self.cuda

    def _nvmlDeviceGetCount_v2(self, count: Any) -> None:  # noqa: N802
        count.value = len(self.told)

    def _nvmlDeviceGetHandleByIndex_v2(self, index: c_uint, card: Any) -> None:  # noqa: N802
        card.value = index.value + 1

    def _nvmlDeviceGetMemoryInfo(self, card: Any, memory: Any) -> None:  # noqa: N802
        *_, memory.total, memory.free = self.told[card.value - 1]

    def _nvmlDeviceGetCudaComputeCapability(self, card: Any, major: Any, minor: Any) -> None:  # noqa: N802
        major.value, minor.value = self.told[card.value - 1][2]

    def _nvmlDeviceGetUUID(self, card: Any, text: Any, length: c_uint) -> None:  # noqa: N802
        text.value = self.told[card.value - 1][0].encode()[: length.value - 1]

    def _nvmlDeviceGetName(self, card: Any, text: Any, length: c_uint) -> None:  # noqa: N802
        text.value = self.told[card.value - 1][1].encode()[: length.value - 1]


@pytest.fixture
def both() -> list[Gpu]:
    return NvidiaDriver(Nvml(OLD, NEW)).cards()


def test_a_driver_tells_of_its_cards(both: list[Gpu]) -> None:
    assert both == [Gpu(*OLD), Gpu(*NEW)]
    assert NvidiaDriver(Nvml(cuda=12080)).cuda == 12
    assert NvidiaDriver(Nvml()).cards() == []


def test_a_card_that_does_not_tell_keeps_its_number() -> None:
    library = Nvml(OLD, NEW)
    library.refusing["nvmlDeviceGetMemoryInfo"] = 3  # not supported: memory that the machine shares
    assert NvidiaDriver(library).cards() == [gpu.UNRESPONSIVE, gpu.UNRESPONSIVE]


def test_a_driver_that_is_not_loaded_is_none() -> None:
    library = Nvml(NEW)
    library.refusing["nvmlInit_v2"] = 9
    with pytest.raises(OSError, match="nvmlInit_v2 of NVIDIA's driver answers 9"):
        NvidiaDriver(library)
    with pytest.raises(OSError, match="nvmlInit_v2"):
        NvidiaDriver(object())


def test_no_driver_is_no_card() -> None:
    """The tests hide this machine's."""
    assert NvidiaDriver.open() is None
    assert gpu.visible_gpus() == []
    assert gpu.gpu_at("cuda") is gpu.gpu_at("cuda:7") is None
    assert gpu.why_unusable() in {
        "PyTorch is not built for CUDA here",
        "there is no driver of NVIDIA's",
    }


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("0", ["Old 8 GB"]),
        ("1", ["New"]),
        ("1,0", ["New", "Old 8 GB"]),
        (" 1 , 0 ", ["New", "Old 8 GB"]),
        ("GPU-1b", ["New"]),
        ("GPU-1b,0", ["New", "Old 8 GB"]),
        ("GPU-1", []),  # of both
        ("", []),
        ("-1", []),
        ("1,7,0", ["New"]),
        ("MIG-2f", []),
    ],
)
def test_the_environment_chooses_and_orders(both: list[Gpu], chosen: str, names: list[str]) -> None:
    found = select_visible(both, {"CUDA_VISIBLE_DEVICES": chosen})
    assert [card.name for card in found] == names
    assert select_visible(both, {}) == both


def test_what_pytorch_is_built_for_is_read_from_its_files() -> None:
    version = torch.version.cuda
    assert torch_cuda_version() == (None if version is None else int(version.partition(".")[0]))
