import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import Place, without_override
from tests.spoken_digits import CHECKPOINT, FILES


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


@pytest.fixture
def digits(at: Place) -> Path:
    """A checkpoint of this test's own, added."""
    folder = at.folder / "digits"
    folder.mkdir()
    for file in FILES:
        shutil.copy(file, folder)
    added = at.run("models", "add", folder)
    assert added.returncode == 0, added.stderr
    return folder


def test_what_computes_a_voxtral_is_told(at: Place, digits: Path) -> None:
    done = at.run("doctor", "--json")
    assert done.returncode == 0, done.stdout
    found = checks(done.stdout)
    assert found["digits"]["state"] == "ok"
    assert "balanced" in found["digits"]["found"]
    assert "of memory" in found["digits"]["found"]
    assert found["torch"]["found"].startswith("2.")
    assert {"instructions", "kernels", "gpu", "memory", "cores"} < found.keys()
    assert digits.exists()


def test_a_model_that_was_edited_is_a_problem_with_its_remedy(at: Place, digits: Path) -> None:
    with (digits / "config.json").open("a") as config:
        config.write(" ")
    done = at.run("doctor", "--json")
    assert done.returncode == 1
    check = checks(done.stdout)["digits"]
    assert check["state"] == "problem"
    assert "was changed after it was installed" in check["found"]
    assert check["mend"] == f"voxgate models add {digits}"
    assert at.run(*check["mend"].split()[1:]).returncode == 0
    assert at.run("doctor").returncode == 0


def test_a_record_that_cannot_be_read_is_a_problem(at: Place, digits: Path) -> None:
    (at.folder / "home" / "models" / "digits.json").write_text("{", "utf-8")
    done = at.run("doctor", "--json")
    assert done.returncode == 1
    assert "`voxgate models rm digits`" in checks(done.stdout)["models"]["found"]
    assert digits.exists()


def test_a_model_that_does_not_fit_is_noted_with_the_profile_that_would(
    at: Place, digits: Path
) -> None:
    least = 400 * 2**20
    done = at.run("doctor", "--json", VOXGATE_ENGINE_MEMORY_BYTES=str(least))
    assert done.returncode == 0, done.stdout
    check = checks(done.stdout)["digits"]
    assert check["state"] == "note"
    assert "engines can have 400.0 MiB" in check["found"]
    assert digits.exists()


def test_without_the_extra_the_embedded_model_is_enough(at: Place, tmp_path: Path) -> None:
    """PyTorch's distribution is hidden by a finder that comes first."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "from importlib import metadata\n"
        "found = metadata.distribution\n"
        "def distribution(name):\n"
        "    if name == 'torch':\n"
        "        raise metadata.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "metadata.distribution = distribution\n",
        "utf-8",
    )
    done = at.run("doctor", "--json", PYTHONPATH=str(site))
    assert done.returncode == 0, done.stdout
    check = checks(done.stdout)["voxtral"]
    assert (check["state"], check["found"]) == ("note", "torch not installed: no Voxtral runs")
    assert 'pip install "voxgate[voxtral]"' in check["mend"]
    assert CHECKPOINT.exists()
