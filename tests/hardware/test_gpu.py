"""GPUs as NVIDIA's driver reports them.

The driver's shared library is scripted: pynvml calls a stub with the C functions' signatures.
"""

from collections.abc import Callable
from ctypes import POINTER, c_uint, c_void_p, cast
from typing import Any

import pynvml
import pytest
import torch

from voxgate.hardware import gpu
from voxgate.hardware.gpu import Gpu, NvidiaDriver, select_visible, torch_cuda_version

GB = 10**9
OLD, NEW = ("GPU-1a", "Old 8 GB", (7, 5), 8 * GB, 5 * GB), ("GPU-1b", "New", (9, 0), 80 * GB, GB)
Script = Callable[..., "NvmlLibrary"]


class NvmlLibrary:
    """The functions of libnvidia-ml that are called: they return codes, and results by address."""

    def __init__(self, *gpus: tuple[str, str, tuple[int, int], int, int], cuda: int) -> None:
        self.gpus, self.cuda = gpus, cuda
        self.error_codes, self.absent = dict[str, int](), set[str]()

    def __getattr__(self, function: str) -> Any:
        def call(*arguments: Any) -> int:
            if not (code := self.error_codes.get(function, 0)):
                getattr(self, f"_{function}")(*[getattr(a, "_obj", a) for a in arguments])
            return code

        if function in self.absent or not hasattr(type(self), f"_{function}"):
            raise AttributeError(f"undefined symbol: {function}")
        return call

    def _nvmlInitWithFlags(self, flags: int) -> None:  # noqa: N802 (NVIDIA's name, as all below)
        assert flags == 0

    def _nvmlSystemGetCudaDriverVersion_v2(self, version: Any) -> None:  # noqa: N802
        version.value = self.cuda

    def _nvmlDeviceGetCount_v2(self, count: Any) -> None:  # noqa: N802
        count.value = len(self.gpus)

    def _nvmlDeviceGetHandleByIndex_v2(self, index: c_uint, handle: Any) -> None:  # noqa: N802
        cast(POINTER(POINTER(c_uint))(handle), POINTER(c_void_p))[0] = c_void_p(index.value + 1)

    def _nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> None:  # noqa: N802
        *_, memory.total, memory.free = self._gpu(handle)

    def _nvmlDeviceGetCudaComputeCapability(self, handle: Any, major: Any, minor: Any) -> None:  # noqa: N802
        major.value, minor.value = self._gpu(handle)[2]

    def _nvmlDeviceGetUUID(self, handle: Any, text: Any, length: c_uint) -> None:  # noqa: N802
        text.value = self._gpu(handle)[0].encode()[: length.value - 1]

    def _nvmlDeviceGetName(self, handle: Any, text: Any, length: c_uint) -> None:  # noqa: N802
        text.value = self._gpu(handle)[1].encode()[: length.value - 1]

    def _gpu(self, handle: Any) -> tuple[str, str, tuple[int, int], int, int]:
        return self.gpus[(cast(handle, c_void_p).value or 0) - 1]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    def install(*gpus: Any, cuda: int = 13010) -> NvmlLibrary:
        library = NvmlLibrary(*gpus, cuda=cuda)
        monkeypatch.setattr(pynvml, "nvmlLib", library)
        monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
        return library

    return install


def test_the_driver_reports_its_gpus(script: Script) -> None:
    script(OLD, NEW)
    assert NvidiaDriver().gpus() == [Gpu(*OLD), Gpu(*NEW)]
    script(cuda=12080)
    assert NvidiaDriver().cuda_version == 12
    assert NvidiaDriver().gpus() == []


def test_a_gpu_that_does_not_respond_keeps_its_index(script: Script) -> None:
    library = script(OLD, NEW)
    library.error_codes["nvmlDeviceGetMemoryInfo"] = 3  # not supported: shared with the machine
    assert NvidiaDriver().gpus() == [gpu.UNRESPONSIVE, gpu.UNRESPONSIVE]


def test_a_driver_that_is_not_loaded_raises(script: Script) -> None:
    script(NEW).error_codes["nvmlInitWithFlags"] = 9
    with pytest.raises(OSError, match="NVIDIA's driver cannot be used: Driver Not Loaded"):
        NvidiaDriver()


def test_a_driver_older_than_a_function_raises(script: Script) -> None:
    script(NEW).absent = {"nvmlInitWithFlags"}
    with pytest.raises(OSError, match="cannot be used: Function Not Found"):
        NvidiaDriver()
    script(NEW).absent = {"nvmlSystemGetCudaDriverVersion_v2", "nvmlDeviceGetCount_v2"}
    with pytest.raises(OSError, match="no CUDA version: Function Not Found"):
        _ = NvidiaDriver().cuda_version
    with pytest.raises(OSError, match="does not count its GPUs: Function Not Found"):
        NvidiaDriver().gpus()


def test_without_a_driver_there_is_no_gpu() -> None:
    """The tests hide this machine's driver."""
    assert gpu.visible_gpus() == []
    assert gpu.gpu_at("cuda") is gpu.gpu_at("cuda:7") is None
    assert gpu.why_unusable() in {
        "PyTorch is not built for CUDA here",
        "there is no driver of NVIDIA's",
    }


def test_a_driver_that_stops_responding_leaves_no_gpu(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = script(OLD, NEW)
    driver = NvidiaDriver()
    monkeypatch.setattr(gpu, "nvidia_driver", lambda: driver)
    monkeypatch.setattr(gpu, "torch_cuda_version", lambda: 13)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert gpu.gpu_at("cuda:1") == Gpu(*NEW)
    library.error_codes["nvmlDeviceGetCount_v2"] = 15  # the GPU is lost
    assert gpu.visible_gpus() == []


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("0", ["Old 8 GB"]),
        ("1", ["New"]),
        ("1,0", ["New", "Old 8 GB"]),
        (" 1 , 0 ", ["New", "Old 8 GB"]),
        ("GPU-1b", ["New"]),
        ("GPU-1b,0", ["New", "Old 8 GB"]),
        ("GPU-1", []),  # the beginning of both
        ("", []),
        ("-1", []),
        ("1,7,0", ["New"]),
        ("MIG-2f", []),
    ],
)
def test_the_environment_selects_and_orders(setting: str, names: list[str]) -> None:
    both = [Gpu(*OLD), Gpu(*NEW)]
    selected = select_visible(both, {"CUDA_VISIBLE_DEVICES": setting})
    assert [each.name for each in selected] == names
    assert select_visible(both, {}) == both


def test_the_cuda_version_of_pytorch_is_read_from_its_files() -> None:
    version = torch.version.cuda
    assert torch_cuda_version() == (None if version is None else int(version.partition(".")[0]))
