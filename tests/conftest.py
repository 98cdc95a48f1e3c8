"""Nobody's own home is touched, and where CI=true only the expected skips may occur."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from voxgate.hardware.level import hold_libraries  # it knows no home

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = tempfile.mkdtemp(prefix="vg-data-")
os.environ["XDG_DATA_HOME"] = (
    DATA  # before anything of Voxgate is imported: its default home is here
)
os.environ["VOXGATE_DEVICE"] = "cpu"  # where a card is too: see `_no_card`
# Hundreds of processes are started: each would compile Voxgate, or the whole of a client, anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
hold_libraries()  # VOXGATE_KERNELS=avx2 tests this machine as one that has no more

ALLOWED = Path(__file__).parent.parent / ".ci" / "allowed-skips"


@pytest.fixture(scope="session", autouse=True)
def _no_card() -> Iterator[None]:
    """Engines of the tests compute on the processor; tests of a card ask PyTorch for it."""
    from voxgate.hardware import gpu  # noqa: PLC0415 (after the environment is set)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu, "nvidia_driver", lambda: None)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --long."""
    parser.addoption("--long", action="store_true", help="run the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that take minutes, or with --long their short forms.

    Files that have long tests come first: the last worker would else run one of them alone.
    """
    long = [item for item in items if item.get_closest_marker("long")]
    slow = {item.path for item in long}
    items.sort(key=lambda item: item.path not in slow)
    out = set(long)
    if config.getoption("--long"):
        out = {item for item in items if _function(item) in map(_function, long)} - out
    if out:
        config.hook.pytest_deselected(items=list(out))
        items[:] = [item for item in items if item not in out]


def _function(item: pytest.Item) -> tuple[Path, str]:
    """Name a test without its parameters: some are given less to do, or more, which takes long."""
    return item.path, item.name.partition("[")[0]


def allowed_skips() -> list[re.Pattern[str]]:
    """One regular expression a line, matched against the whole reason; # begins a comment."""
    lines = (line.partition("#")[0].strip() for line in ALLOWED.read_text("utf-8").splitlines())
    return [re.compile(line) for line in lines if line]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the skips that nobody allowed."""
    if unexpected := unexpected_skips(terminalreporter):
        terminalreporter.section("skips that .ci/allowed-skips does not list", red=True)
        for line in unexpected:
            terminalreporter.line(line)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for them, where CI=true."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter and unexpected_skips(reporter):
        session.exitstatus = 1


def unexpected_skips(reporter: pytest.TerminalReporter) -> list[str]:
    """`test: reason` for each skip whose reason is not listed."""
    found = []
    for report in reporter.stats.get("skipped", []):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if not any(pattern.fullmatch(reason) for pattern in allowed_skips()):
            found.append(f"{report.nodeid}: {reason}")
    return found
