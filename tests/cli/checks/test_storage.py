"""The checks of folders: what can be written is tried."""

from pathlib import Path

import pytest

from voxgate.cli.checks.storage import check_home
from voxgate.settings import Settings


@pytest.mark.parametrize("home", ["/proc", "/proc/voxgate", "/sys/voxgate", "/dev/null/below"])
def test_a_home_that_permissions_allow_and_the_system_does_not(home: str) -> None:
    check = check_home(Settings(home=Path(home)))
    assert check.state == "note"
    assert f"{home} cannot be written to" in check.found


def test_a_home_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    check = check_home(Settings(home=tmp_path / "new" / "home"))
    assert check.state == "ok"
    assert "not created yet" in check.found
    assert not list(tmp_path.iterdir())
