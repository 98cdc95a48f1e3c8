import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from voxgate.models.store.atomic import file_lock

HOLDER = """
import sys
from pathlib import Path
from voxgate.models.store.atomic import file_lock
with file_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_has_one_holder_and_its_file_is_deleted(tmp_path: Path) -> None:
    path, most = tmp_path / "lock", 0
    inside: list[int] = []

    def work() -> None:
        nonlocal most
        for _ in range(50):
            with file_lock(path):
                inside.append(1)
                most = max(most, len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert not path.exists()


def test_the_lock_of_a_killed_process_is_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        waited: list[str] = []
        taken = threading.Event()

        def kill() -> None:
            waited.append("once")
            os.kill(holder.pid, signal.SIGKILL)

        def wait() -> None:
            with file_lock(path, kill):
                taken.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert taken.wait(30)
        thread.join()
    assert waited == ["once"]
    assert not path.exists()
