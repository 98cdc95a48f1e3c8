"""Change the registry and be killed during the change, at every moment in turn.

    python -m tests.models.store.killed HOME pull NAME | import FILE | remove NAME

A moment is when the process is about to open, rename, create or delete a path of the home. At each,
a child is killed, as by `kill -9`. What it left must be a complete model or none, and another child
must finish the change. Prints the number of moments as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import huggingface_hub.file_download  # noqa: F401 (the children find it imported)
import numpy  # noqa: F401
import safetensors  # noqa: F401
from huggingface_hub import set_client_factory

from voxgate.models.store.archive import import_model
from voxgate.models.store.pull import pull_model
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

CONTEXT = ssl.create_default_context()  # reading its certificates takes longer than a pull
EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir"}


def main(home: Path, verb: str, what: str) -> int:
    """Run every moment and return their number. The home is restored before each."""
    set_client_factory(lambda: httpx2.Client(verify=CONTEXT, follow_redirects=True))
    registry = Registry.open(Settings(home=home))
    verbs: dict[str, Callable[[], object]] = {
        "pull": lambda: pull_model(registry, what),
        "import": lambda: import_model(registry, Path(what)),
        "remove": lambda: registry.remove(what),
    }
    work = verbs[verb]
    before = home.with_name("before")
    shutil.copytree(home, before)
    assert run(work, home) == 0
    wanted = files(home)
    had = len(Registry.open(Settings(home=before)).list())
    for moment in count(1):
        shutil.rmtree(home)
        shutil.copytree(before, home)
        status = run(work, home, moment)
        if status == 0:
            return moment - 1
        assert status == -signal.SIGKILL, f"at {moment}: {status}"
        found = registry.list()
        for record in found:
            registry.verify(record)
            registry.check_unchanged(record)
        if verb == "pull":  # of another revision, over what was there: something is always whole
            assert len(found) == had, f"at {moment}: {found}"
        if verb != "remove" or found:
            assert run(work, home) == 0, f"after {moment}"
            assert files(home) == wanted, f"after {moment}: {files(home) ^ wanted}"
    raise AssertionError


def run(work: Callable[[], object], home: Path, moment: int | None = None) -> int:
    """Run in a child that is killed at that moment; None lets it finish. Return its exit code."""
    pid = os.fork()
    if pid == 0:
        try:
            if moment is not None:
                kill_at(moment, home)
            work()
        except BaseException as error:  # noqa: BLE001 (said by the exit code, not by pytest's)
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def kill_at(moment: int, home: Path) -> None:
    """Kill this process at one of its moments, before the operation."""
    pid, moments = os.getpid(), iter(range(moment - 1))

    def on_event(event: str, arguments: tuple[object, ...]) -> None:
        ours = event == "open" and str(arguments[0]).startswith(str(home))
        if (ours or event in EVENTS) and next(moments, None) is None:
            os.kill(pid, signal.SIGKILL)

    sys.addaudithook(on_event)


def files(home: Path) -> set[str]:
    """Return every file in the home."""
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *sys.argv[2:])))
