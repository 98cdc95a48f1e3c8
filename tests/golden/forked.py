"""Run many commands quickly: one process imports the command line once, and forks for each call.

    python -m tests.golden.forked < CALLS > RESULTS

CALLS is a JSON list of argument lists; RESULTS a JSON list of [exit code, stdout, stderr].
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import traceback
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cli.command import CliRunner

AT_ONCE = 2
LIBRARIES = ("typer", "sqlalchemy", "alembic.command", "sqlite3", "httpx2")
"""What several commands import; without them in front, each child would import them."""


def run_all(cli: CliRunner, calls: list[tuple[str, ...]]) -> list[subprocess.CompletedProcess[str]]:
    """Run each call in a process of its own, in the runner's folder and environment."""
    root = Path(__file__).parent.parent.parent
    done = subprocess.run(
        [sys.executable, "-m", "tests.golden.forked"],
        input=json.dumps(calls).encode(),
        env=cli.environment | {"PYTHONPATH": str(root), "COLUMNS": "100", "TZ": "UTC"},
        cwd=cli.folder,
        capture_output=True,
        check=True,
    )
    return [subprocess.CompletedProcess(call, *each)
            for call, each in zip(calls, json.loads(done.stdout), strict=True)]  # fmt: skip


def main() -> None:
    """Fork for each call, so many at once, and write the results."""
    calls = json.load(sys.stdin)
    (entry,) = entry_points(group="console_scripts", name="voxgate")
    command = entry.load()
    import_module("voxgate.cli")
    for name in LIBRARIES:
        import_module(name)
    codes: dict[int, int] = {}
    numbers: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, arguments in enumerate(calls):
            if len(numbers) - len(codes) >= AT_ONCE:
                _reap(numbers, codes)
            if (pid := os.fork()) == 0:
                _child(command, arguments, Path(folder, str(number)))
            numbers[pid] = number
        while len(codes) < len(calls):
            _reap(numbers, codes)
        results = [
            (
                codes[number],
                *(Path(folder, f"{number}.{end}").read_text() for end in ("out", "err")),
            )
            for number in range(len(calls))
        ]
    json.dump(results, sys.stdout)


def _reap(numbers: dict[int, int], codes: dict[int, int]) -> None:
    pid, status = os.wait()
    codes[numbers[pid]] = os.waitstatus_to_exitcode(status)


def _child(command: object, arguments: list[str], output: Path) -> None:
    """Become the command; never return."""
    for target, path in ((0, os.devnull), (1, f"{output}.out"), (2, f"{output}.err")):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), target)
    sys.argv = ["voxgate", *arguments]
    code = 0
    try:
        command()  # type: ignore[operator]
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 (as the interpreter does)
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
