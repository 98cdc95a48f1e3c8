import torch

from voxgate.cli.checks.software import check_engines
from voxgate.hardware import native_kernels
from voxgate.voxtral.kernels import ops


def test_the_build_and_what_it_makes_of_the_processor() -> None:
    whisper, extra, build, kernels = check_engines()
    assert (whisper.state, extra.state, build.state) == ("ok", "ok", "ok")
    assert torch.__version__ in build.found
    assert torch.backends.cpu.get_cpu_capability() in build.found
    assert "huggingface_hub" in extra.found
    if reason := ops.why_unavailable():
        assert (kernels.state, kernels.found) == ("note", reason)
    else:
        assert kernels.state == "ok"
        used = f"of level {native_kernels.level()} are used; 8-bit products in full"
        assert used in kernels.found
        assert all(level in kernels.found for level in native_kernels.levels())
