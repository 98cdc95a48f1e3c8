"""`voxgate models pull` as a process, against a hub on the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import DEADLINE_S, CliRunner, has_exited, wait_until
from tests.cli.test_disks import on_small_disk
from tests.hub import Hub, Repository
from tests.models.store.checkpoints import write_hf
from tests.processes import DEFAULT_SIGNALS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "acme/tiny-voxtral"
SHARD = "model-00001-of-00002.safetensors"
TOKEN = "hf_right"  # noqa: S105 (nobody's)

WITNESS = """
import os, sys
_journal = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def _see(event, arguments):
    if event == "socket.connect":
        os.write(_journal, f"{event} {arguments[1]}\\n".encode())
    if event == "socket.getaddrinfo":
        os.write(_journal, f"{event} {arguments[:2]}\\n".encode())
sys.addaudithook(_see)
"""
"""Writes down every address that a Python process turns to."""


@pytest.fixture
def cli(empty_cli: CliRunner) -> CliRunner:
    """Without any model: these tests look at everything in the home."""
    return empty_cli


@pytest.fixture
def hub(cli: CliRunner) -> Iterator[Hub]:
    with Hub().running() as running:
        running.repositories[NAME] = Repository.from_folder(write_hf(cli.folder / "origin"))
        yield running


def environment(cli: CliRunner, hub: Hub, **settings: str) -> dict[str, str]:
    """As a user's who knows of no other place for the client's files."""
    ours = {k: v for k, v in cli.environment.items() if not k.startswith(("HF_", "XDG_"))}
    return {**ours, "HF_ENDPOINT": hub.url, **settings}


def start(
    cli: CliRunner, hub: Hub, *arguments: str, before: tuple[str, ...] = (), **settings: str
) -> subprocess.Popen[str]:
    # Nothing is run in the child before its program: the hub has threads in this process.
    return subprocess.Popen(
        [*before, sys.executable, "-m", "voxgate", "models", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(cli, hub, **settings),
        cwd=cli.folder,
    )


def run(
    cli: CliRunner, hub: Hub, *arguments: str, before: tuple[str, ...] = (), **settings: str
) -> tuple[int, str, str]:
    with start(cli, hub, *arguments, before=before, **settings) as process:
        out, err = process.communicate(timeout=DEADLINE_S)
    return process.returncode, out, err


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def expected(hub: Hub) -> set[str]:
    """All that a whole pull leaves below the home."""
    repository = hub.repositories[NAME]
    folder = f"models/{NAME}@{repository.commit[:12]}"
    return {f"models/{NAME}.json", *(f"{folder}/{name}" for name in repository.files)}


def test_from_nothing_to_a_model(cli: CliRunner, hub: Hub) -> None:
    code, out, err = run(cli, hub, "pull", NAME)
    assert (code, out) == (0, "")
    plan, done, default = err.splitlines()
    commit = hub.repositories[NAME].commit
    assert plan.startswith(f"voxgate: {NAME} at {commit}: ")
    assert done.startswith(f"voxgate: installed {NAME} at {commit}: ")
    assert default == f"voxgate: {NAME} is used where no model is named."
    assert files(cli.folder / "home") == expected(hub)
    (_, model) = json.loads(run(cli, hub, "list", "--json")[1])
    assert (model["name"], model["revision"], model["state"]) == (NAME, commit, "installed")


def test_only_the_hub_is_contacted_and_nothing_is_written_outside_the_home(
    cli: CliRunner, hub: Hub
) -> None:
    (cli.folder / "witness").mkdir()
    (cli.folder / "witness" / "sitecustomize.py").write_text(WITNESS)
    before = files(cli.folder)
    path = os.pathsep.join([str(cli.folder / "witness"), os.environ.get("PYTHONPATH", "")])
    journal = cli.folder / "journal"
    code, _, err = run(cli, hub, "pull", NAME, PYTHONPATH=path, JOURNAL=str(journal))
    assert code == 0, err
    seen = journal.read_text().splitlines()
    assert any("socket.connect" in line for line in seen)
    assert all("'127.0.0.1'" in line for line in seen)
    assert all(any(str(port) in line for port in hub.ports) for line in seen)
    assert not [asked.path for asked in hub.requests if "agent" in asked.path]
    new = {name for name in files(cli.folder) - before if "__pycache__" not in name}
    assert {name for name in new if not name.startswith("home/models/")} == {"journal"}


@pytest.mark.parametrize("name", ["config.json", SHARD])
def test_a_killed_pull_leaves_no_model_and_the_next_one_works(
    cli: CliRunner, hub: Hub, name: str
) -> None:
    hub.faults.held[name] = len(hub.repositories[NAME].files[name]) // 2
    with start(cli, hub, "pull", NAME) as process:
        wait_until(lambda: hub.holding.is_set() or process.poll() is not None)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    (_,) = json.loads(run(cli, hub, "list", "--json")[1])
    assert not list((cli.folder / "home" / "models").glob("acme/*"))
    hub.faults.held.clear()
    hub.release.set()
    code, _, err = run(cli, hub, "pull", NAME)
    assert code == 0, err
    assert files(cli.folder / "home") == expected(hub)
    assert run(cli, hub, "show", NAME, "--verify")[0] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_pull_reports_that_it_can_be_resumed(
    cli: CliRunner, hub: Hub, number: signal.Signals
) -> None:
    hub.faults.held[SHARD] = 100
    with start(cli, hub, "pull", NAME, before=DEFAULT_SIGNALS) as process:
        wait_until(lambda: hub.holding.is_set() or process.poll() is not None)
        process.send_signal(number)
        _, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 128 + number, err
    assert err.endswith("ed. What was fetched is kept: pull again.\n")
    assert has_exited(process.pid)


def test_a_concurrent_second_command_reports_that_it_waits(cli: CliRunner, hub: Hub) -> None:
    hub.faults.held[SHARD] = 100
    with start(cli, hub, "pull", NAME) as first:
        wait_until(lambda: hub.holding.is_set() or first.poll() is not None)
        with start(cli, hub, "pull", NAME) as second:
            assert second.stderr is not None
            assert "another command is changing" in second.stderr.readline()
            hub.release.set()
            assert first.communicate(timeout=DEADLINE_S)[0] == ""
            rest = second.communicate(timeout=DEADLINE_S)[1]
    assert (first.returncode, second.returncode) == (0, 0)
    assert "is already installed" in rest
    assert hub.fetched(host="cdn").count(SHARD) == 1


def test_a_removal_waits_for_a_pull(cli: CliRunner, hub: Hub) -> None:
    hub.faults.held[SHARD] = 100
    with start(cli, hub, "pull", NAME) as pulling:
        wait_until(lambda: hub.holding.is_set() or pulling.poll() is not None)
        with start(cli, hub, "rm", NAME) as removing:
            assert removing.stderr is not None
            assert "another command is changing" in removing.stderr.readline()
            hub.release.set()
            pulling.communicate(timeout=DEADLINE_S)
            removing.communicate(timeout=DEADLINE_S)
    assert (pulling.returncode, removing.returncode) == (0, 0)
    assert not files(cli.folder / "home")


def test_a_gated_model_is_pulled_with_a_token(cli: CliRunner, hub: Hub) -> None:
    hub.repositories[NAME].gate = TOKEN
    code, out, err = run(cli, hub, "pull", NAME)
    assert (code, out) == (1, "")
    assert "--token or in HF_TOKEN" in err
    assert run(cli, hub, "pull", NAME, HF_TOKEN=TOKEN)[0] == 0
    run(cli, hub, "rm", NAME)
    assert run(cli, hub, "pull", NAME, "--token", TOKEN)[0] == 0
    assert TOKEN not in "".join(path.read_text() for path in cli.folder.rglob(f"{NAME}*.json"))


def test_hf_hub_offline_is_respected(cli: CliRunner, hub: Hub) -> None:
    code, out, err = run(cli, hub, "pull", NAME, HF_HUB_OFFLINE="1")
    assert (code, out) == (1, "")
    assert err.startswith("voxgate: HF_HUB_OFFLINE is set, so nothing can be pulled.")
    assert not hub.requests


def test_a_full_disk_is_reported_before_weights_are_fetched(cli: CliRunner, hub: Hub) -> None:
    disk = cli.folder / "disk"
    code, out, err = run(
        *(cli, hub, "pull", NAME), before=on_small_disk(disk, 256, 100), VOXGATE_HOME=str(disk)
    )
    assert (code, out) == (1, "")
    assert f"{NAME} needs " in err
    assert "KiB are free. Free some, or name a folder on a larger disk in VOXGATE_HOME." in err
    assert SHARD not in hub.fetched()


def test_a_disk_that_fills_up_during_a_pull_has_its_error(cli: CliRunner, hub: Hub) -> None:
    """Here because each file takes whole pages, of which the sum of their sizes knows nothing."""
    first = ("config.json", "model.safetensors.index.json")
    sizes = {name: len(content) for name, content in hub.repositories[NAME].files.items()}
    before = kib_in_pages(1) + sum(kib_in_pages(sizes.pop(name)) for name in first)
    disk = cli.folder / "disk"
    code, out, err = run(
        *(cli, hub, "pull", NAME),
        before=on_small_disk(disk, 4 + before + kib_in_pages(sum(sizes.values())), 4),
        VOXGATE_HOME=str(disk),
    )
    assert (code, out) == (1, "")
    assert "No space left on device. Free some space" in err


def kib_in_pages(nbytes: int) -> int:
    return -(-nbytes // 4096) * 4


def test_a_terminal_gets_a_bar_and_a_pipe_gets_none(cli: CliRunner, hub: Hub) -> None:
    assert "\x1b" not in run(cli, hub, "pull", NAME)[2]
    run(cli, hub, "rm", NAME)
    code, out, shown = cli.run_on_terminal("models", "pull", NAME, HF_ENDPOINT=hub.url)
    assert (code, out) == (0, "")
    assert "installed acme/tiny-voxtral" in shown
    assert "━" in shown
