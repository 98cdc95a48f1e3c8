import json
from typing import Any

from tests.cli.command import Place, without_override


def checks(text: str) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(text)}


def test_a_sound_machine_passes(at: Place) -> None:
    done = at.run("doctor", VOXGATE_ENGINE_START_S="99")
    assert done.returncode == 0, done.stdout
    for part in ("FFmpeg", "pocketsphinx", "decoded 1.000 s", "listened", "engine_start_s = 99"):
        assert part in done.stdout
    assert done.stdout.endswith("\nEverything works.\n")


def test_a_spool_that_cannot_be_made_is_found_with_its_remedy(at: Place) -> None:
    done = at.run("doctor", "--json", VOXGATE_SPOOL_DIR="/dev/null/below")
    found = checks(done.stdout)
    assert done.returncode == 1
    assert found["spool"]["state"] == "problem"
    assert "VOXGATE_SPOOL_DIR" in found["spool"]["mend"]
    assert found["decoder"]["state"] == "problem"


def test_a_home_that_cannot_be_written_is_only_noted(at: Place) -> None:
    locked = at.folder / "locked"
    locked.mkdir(mode=0o500)
    done = at.run("doctor", preexec=without_override, VOXGATE_HOME=str(locked / "home"))
    assert done.returncode == 0, done.stdout
    assert f"{locked}/home cannot be written to" in done.stdout
