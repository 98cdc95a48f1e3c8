"""Free and total memory, with and without a container's limit."""

import os
from pathlib import Path

import pytest

from voxgate.hardware import memory


def test_part_of_the_machine_is_free() -> None:
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for device in ("cpu", "cpu:0", "mps"):  # every device but CUDA's has the machine's memory
        assert 0 < memory.free_bytes(device) < machine
        assert 0 < memory.total_bytes(device) <= machine


@pytest.mark.parametrize(
    ("limit", "free"), [("1000000", 1000000 - 700000 + 300000), ("max", None)], ids=["some", "none"]
)
def test_a_containers_limit_counts_but_not_its_file_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, free: int | None
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 400000\nfile 300000\nfile_mapped 5\n")
    unlimited = memory.free_bytes()
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.free_bytes() == pytest.approx(free or unlimited, rel=0.2)
