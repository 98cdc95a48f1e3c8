"""How many cores a process may use, by trees of files as Linux has them."""

import math
import os
from pathlib import Path

import pytest

from voxgate.configuration.values import MOST_THREADS
from voxgate.hardware.cores import Cores, linux_cores, thread_count, threads_variable, usable_cores

NEW, OLD = "new", "old"  # kernels with a list of siblings, and with the numbers of cores alone


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


def two_sockets(root: Path, kernel: str = NEW) -> None:
    """Two sockets of four cores with two hyper-threads each, numbered as Linux numbers them."""
    for processor in range(16):
        core = processor % 8
        topology = f"sys/devices/system/cpu/cpu{processor}/topology"
        files = {"physical_package_id": str(core // 4), "core_id": str(core % 4)}
        if kernel == NEW:
            files["thread_siblings_list"] = f"{core},{core + 8}"
        write(root, {f"{topology}/{name}": text for name, text in files.items()})


@pytest.mark.parametrize("kernel", [NEW, OLD])
@pytest.mark.parametrize(
    ("allowed", "cores"),
    [
        (range(16), 8),
        (range(8), 8),  # one hyper-thread of each core
        ([0, 8], 1),  # both of one
        ([0, 4], 2),  # the first core of each socket, which have the same number
        ([3, 11, 7], 2),
    ],
)
def test_hyper_threads_of_a_core_are_one(
    tmp_path: Path, kernel: str, allowed: list[int], cores: int
) -> None:
    two_sockets(tmp_path, kernel)
    found = linux_cores(allowed, 16, tmp_path)
    assert found == Cores(16, len(allowed), cores)
    assert found.threads == cores


def test_without_any_file_each_processor_is_a_core(tmp_path: Path) -> None:
    assert linux_cores({0, 1, 5}, 8, tmp_path) == Cores(8, 3, 3, math.inf)


@pytest.mark.parametrize(
    ("maximum", "threads"),
    [("150000 100000", 2), ("100000 100000", 1), ("10000 100000", 1), ("max 100000", 8),
     ("900000 50000", 8)],
)  # fmt: skip
def test_a_quota_is_rounded_up(tmp_path: Path, maximum: str, threads: int) -> None:
    two_sockets(tmp_path)
    write(tmp_path, {"proc/self/cgroup": "0::/app", "sys/fs/cgroup/app/cpu.max": maximum})
    assert linux_cores(range(16), 16, tmp_path).threads == threads


CONTAINERS = {
    "the smallest of nested groups": (
        "0::/kubepods.slice/pod1.slice/engine.scope",
        {
            "kubepods.slice/cpu.max": "600000 100000",
            "kubepods.slice/pod1.slice/cpu.max": "300000 100000",
            "kubepods.slice/pod1.slice/engine.scope/cpu.max": "max 100000",
            "kubepods.slice/pod2.slice/cpu.max": "100000 100000",  # another's
        },
        3.0,
    ),
    "a namespace, whose root is the container": ("0::/", {"cpu.max": "250000 100000"}, 2.5),
    "the host's path over the container's mount": (
        "0::/docker/0f1e",
        {"cpu.max": "200000 100000"},
        2.0,
    ),
    "a group outside of the namespace": (
        "0::/../../other",
        {"cpu.max": "max 100000", "other/cpu.max": "100000 100000"},
        math.inf,
    ),
    "a name that is no ASCII": ("0::/büro", {"büro/cpu.max": "50000 100000"}, 0.5),
    "version 1": (
        "4:memory:/docker/0f1e\n3:cpu,cpuacct:/docker/0f1e\n1:name=systemd:/docker/0f1e",
        {
            "cpu,cpuacct/docker/0f1e/cpu.cfs_quota_us": "50000",
            "cpu,cpuacct/docker/0f1e/cpu.cfs_period_us": "20000",
            "cpu,cpuacct/docker/cpu.cfs_quota_us": "-1",
            "cpu,cpuacct/docker/cpu.cfs_period_us": "100000",
        },
        2.5,
    ),
    "version 1, its controller alone, beside version 2": (
        "2:cpuacct:/\n1:cpu:/\n0::/",
        {"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"},
        4.0,
    ),
    "version 2 beside version 1": (
        "1:memory:/\n0::/app",
        {"unified/app/cpu.max": "100000 100000"},
        1.0,
    ),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_quota_of_the_groups_around_a_process(tmp_path: Path, container: str) -> None:
    groups, files, quota = CONTAINERS[container]
    write(tmp_path, {"proc/self/cgroup": groups})
    write(tmp_path, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})
    assert linux_cores(range(8), 8, tmp_path).quota == quota


@pytest.mark.parametrize("groups", ["", "0", "0:", "::", ":::", "no group\n0::/app", "0::/app"])
@pytest.mark.parametrize(
    "maximum",
    ["", "max", "100000 0", "0 100000", "-1 100000", "a b", "1e5 100000", "100000 -5", "²  ³",
     "9" * 5000, "9" * 200_000, "max " * 50_000, "\0" * 100, "\udcff"],
)  # fmt: skip
def test_files_that_are_not_as_linux_writes_them_set_no_limit(
    tmp_path: Path, groups: str, maximum: str
) -> None:
    write(tmp_path, {"proc/self/cgroup": f"{groups}\n1:cpu:/app"})
    folder = tmp_path / "sys/fs/cgroup"
    for name in ("app/cpu.max", "cpu/app/cpu.cfs_quota_us", "cpu/app/cpu.cfs_period_us"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(maximum.encode(errors="surrogateescape"))
    assert linux_cores(range(8), 8, tmp_path).threads == 8


def test_this_machine_has_what_its_system_says() -> None:
    cores = usable_cores()
    assert cores.processors == os.cpu_count()
    assert 1 <= cores.threads <= cores.cores <= cores.allowed <= cores.processors
    assert cores.allowed == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("environ", "variable", "threads"),
    [
        ({}, None, None),
        ({"VOXGATE_THREADS": "0", "OMP_NUM_THREADS": ""}, None, None),
        ({"OMP_NUM_THREADS": "3"}, "OMP_NUM_THREADS", 3),
        ({"OMP_NUM_THREADS": "4,2"}, "OMP_NUM_THREADS", 4),
        ({"OMP_NUM_THREADS": "many"}, None, None),
        ({"OMP_NUM_THREADS": "-3"}, None, None),
        ({"OMP_NUM_THREADS": "0008"}, "OMP_NUM_THREADS", 8),
        ({"OMP_NUM_THREADS": "5000"}, "OMP_NUM_THREADS", MOST_THREADS),
        ({"OMP_NUM_THREADS": "9" * 5000}, "OMP_NUM_THREADS", MOST_THREADS),
        ({"VOXGATE_THREADS": "5", "OMP_NUM_THREADS": "3"}, "VOXGATE_THREADS", 5),
        ({"VOXGATE_THREADS": "0", "OMP_NUM_THREADS": "3"}, "OMP_NUM_THREADS", 3),
    ],
)
def test_a_variable_says_how_many_threads(
    environ: dict[str, str], variable: str | None, threads: int | None
) -> None:
    assert threads_variable(environ) == variable
    assert thread_count(environ) == (threads or usable_cores().threads)
