"""`--offline` on a machine with a network: no packet leaves, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.command import DEADLINE_S, MODEL, CliRunner, write_wav
from tests.hub import Hub, Repository
from tests.island import ELSEWHERE, counted
from tests.models.store.checkpoints import write_hf
from voxgate import Session, Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sounds import Pcm

NOWHERE = f"http://{ELSEWHERE}:9"
ENFORCED = """
import os, sys
def _see(event, arguments):
    if event == "sys.addaudithook":
        with open(os.environ["JOURNAL"], "a") as journal:
            journal.write(" ".join(sys.orig_argv) + "\\n")
sys.addaudithook(_see)
"""
"""Writes down which Python processes have put up a hook of their own."""


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        (("models", "pull", "acme/a"), {"HF_ENDPOINT": NOWHERE}),
        (("models", "pull", "acme/a"), {"HF_ENDPOINT": "https://hub.example"}),
        (("models", "pull", "a/b"), {"HF_ENDPOINT": "http://127.0.0.1:9", "HTTP_PROXY": NOWHERE}),
        (("models", "pull", "acme/a"), {"HF_ENDPOINT": "http://hub.localhost:9"}),
        (("transcribe", "a.wav", *MODEL, "--server", NOWHERE), {}),
        (("transcribe", "a.wav", *MODEL, "--server", "http://hub.localhost:9"), {}),
        (("serve", "--host", "hub.example", "--port", "0"), {}),
        (("serve", "--host", ELSEWHERE, "--port", "0"), {}),
    ],
)
def test_no_packet_is_sent_and_the_reason_is_reported(
    cli: CliRunner, spoken: Pcm, arguments: tuple[str, ...], settings: dict[str, str]
) -> None:
    write_wav(cli.folder / "a.wav", spoken)
    sent = cli.folder / "sent"
    clean: dict[str, Any] = {"HF_ENDPOINT": "", "HF_HUB_OFFLINE": "", "HTTP_PROXY": ""}
    done = cli.run("--offline", *arguments, before=counted(sent), **clean | settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert "stay offline" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert sent.read_text() == "0"


@pytest.mark.parametrize(
    "arguments",
    [("models", "pull", "acme/a"), ("transcribe", "a.wav", *MODEL, "--server", NOWHERE)],
)
def test_without_it_packets_are_sent_and_counted(
    cli: CliRunner, spoken: Pcm, arguments: tuple[str, ...]
) -> None:
    write_wav(cli.folder / "a.wav", spoken)
    sent = cli.folder / "sent"
    cli.run(*arguments, before=counted(sent), HF_ENDPOINT=NOWHERE, HF_HUB_OFFLINE="")
    assert int(sent.read_text()) > 0


@pytest.fixture
def journal(cli: CliRunner) -> dict[str, Any]:
    """What a process needs in its environment to be witnessed."""
    (cli.folder / "witness").mkdir()
    (cli.folder / "witness" / "sitecustomize.py").write_text(ENFORCED)
    path = os.pathsep.join([str(cli.folder / "witness"), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, "JOURNAL": str(cli.folder / "journal")}


def witnessed(cli: CliRunner) -> set[str]:
    lines = (cli.folder / "journal").read_text().splitlines()
    return {words[words.index("-m") + 1] for words in map(str.split, lines)}


@pytest.mark.parametrize("how", ["option", "file"])
def test_every_process_blocks_the_network(
    cli: CliRunner, spoken: Pcm, journal: dict[str, Any], how: str
) -> None:
    write_wav(cli.folder / "a.wav", spoken)
    if how == "file":
        (cli.folder / "home" / "voxgate.toml").write_text("offline = true\n")
    option = ("--offline",) if how == "option" else ()
    done = cli.run(*option, "transcribe", "a.wav", *MODEL, **journal)
    assert done.returncode == 0, done.stderr
    assert witnessed(cli) == {"voxgate", "voxgate.audio.decoder.server", "voxgate.engine"}


async def test_settings_of_a_program_reach_its_child_processes(
    cli: CliRunner, spoken: Pcm, journal: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = write_wav(cli.folder / "a.wav", spoken)
    for name, value in journal.items():
        monkeypatch.setenv(name, value)
    async with Session(Settings(home=cli.folder / "home", offline=True)) as session:
        await session.transcribe(sound)
    assert witnessed(cli) == {"voxgate.audio.decoder.server", "voxgate.engine"}


def test_a_hub_on_the_loopback_cannot_redirect_to_the_network(empty_cli: CliRunner) -> None:
    with Hub().running() as hub:
        hub.repositories["acme/a"] = Repository.from_folder(write_hf(empty_cli.folder / "origin"))
        hub.cdn = NOWHERE
        # Nothing is run in the child before its program: the hub has threads in this process.
        done = subprocess.run(
            [sys.executable, "-m", "voxgate", "--offline", "models", "pull", "acme/a"],
            check=False,
            env=empty_cli.environment
            | {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "", "HTTP_PROXY": ""},
            cwd=empty_cli.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"This would connect to {ELSEWHERE} port 9, " in done.stderr.splitlines()[-1]
    assert not installed(empty_cli)


def installed(cli: CliRunner) -> list[Path]:
    return list((cli.folder / "home" / "models").glob("*/*.json"))
