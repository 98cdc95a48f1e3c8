from pathlib import Path

import pytest

from voxgate.cli.checks import machine
from voxgate.cli.checks.check import Check
from voxgate.hardware import cpu


def of(flags: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> Check:
    """What is found on an x86 processor of these flags."""
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(cpu, "CPUINFO", path)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    cpu.cpu_flags.cache_clear()
    try:
        (check,) = (check for check in machine.checks() if check.name == "processor")
    finally:
        cpu.cpu_flags.cache_clear()
    return check


@pytest.mark.parametrize(
    ("flags", "state", "says"),
    [
        ("sse4_2 avx", "note", "no avx2"),
        ("avx2 fma", "ok", "avx2; bfloat16 is emulated"),
        (
            "avx2 avx512f avx512bw avx512vl avx512dq avx512_vnni amx_bf16",
            "ok",
            "avx2, avx512f, avx512_vnni, amx_bf16; bfloat16 is computed with",
        ),
        ("", "ok", "does not list"),
    ],
)
def test_what_matters_of_a_processor(
    flags: str, state: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = of(flags, tmp_path / "cpuinfo", monkeypatch)
    assert check.state == state
    assert says in check.found
