"""`--offline` on a machine with a network: no packet leaves, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.command import DEADLINE_S, MODEL, Place, write_wav
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
    at: Place, spoken: Pcm, arguments: tuple[str, ...], settings: dict[str, str]
) -> None:
    write_wav(at.folder / "a.wav", spoken)
    sent = at.folder / "sent"
    clean: dict[str, Any] = {"HF_ENDPOINT": "", "HF_HUB_OFFLINE": "", "HTTP_PROXY": ""}
    done = at.run("--offline", *arguments, before=counted(sent), **clean | settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert "stay offline" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert sent.read_text() == "0"


@pytest.mark.parametrize(
    "arguments",
    [("models", "pull", "acme/a"), ("transcribe", "a.wav", *MODEL, "--server", NOWHERE)],
)
def test_without_it_packets_are_sent_and_counted(
    at: Place, spoken: Pcm, arguments: tuple[str, ...]
) -> None:
    write_wav(at.folder / "a.wav", spoken)
    sent = at.folder / "sent"
    at.run(*arguments, before=counted(sent), HF_ENDPOINT=NOWHERE, HF_HUB_OFFLINE="")
    assert int(sent.read_text()) > 0


@pytest.fixture
def journal(at: Place) -> dict[str, Any]:
    """What a process needs in its environment to be witnessed."""
    (at.folder / "witness").mkdir()
    (at.folder / "witness" / "sitecustomize.py").write_text(ENFORCED)
    path = os.pathsep.join([str(at.folder / "witness"), os.environ.get("PYTHONPATH", "")])
    return {"PYTHONPATH": path, "JOURNAL": str(at.folder / "journal")}


def witnessed(at: Place) -> set[str]:
    lines = (at.folder / "journal").read_text().splitlines()
    return {words[words.index("-m") + 1] for words in map(str.split, lines)}


@pytest.mark.parametrize("how", ["option", "file"])
def test_every_process_blocks_the_network(
    at: Place, spoken: Pcm, journal: dict[str, Any], how: str
) -> None:
    write_wav(at.folder / "a.wav", spoken)
    if how == "file":
        (at.folder / "home").mkdir()
        (at.folder / "home" / "config.toml").write_text("offline = true\n")
    option = ("--offline",) if how == "option" else ()
    done = at.run(*option, "transcribe", "a.wav", *MODEL, **journal)
    assert done.returncode == 0, done.stderr
    assert witnessed(at) == {"voxgate", "voxgate.audio.decoder.server", "voxgate.engine"}


async def test_settings_of_a_program_reach_its_child_processes(
    at: Place, spoken: Pcm, journal: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = write_wav(at.folder / "a.wav", spoken)
    for name, value in journal.items():
        monkeypatch.setenv(name, value)
    async with Session(Settings(home=at.folder / "home", offline=True)) as session:
        await session.transcribe(sound)
    assert witnessed(at) == {"voxgate.audio.decoder.server", "voxgate.engine"}


def test_a_hub_on_the_loopback_cannot_redirect_to_the_network(at: Place) -> None:
    with Hub().running() as hub:
        hub.repositories["acme/a"] = Repository.from_folder(write_hf(at.folder / "origin"))
        hub.cdn = NOWHERE
        # Nothing is run in the child before its program: the hub has threads in this process.
        done = subprocess.run(
            [sys.executable, "-m", "voxgate", "--offline", "models", "pull", "acme/a"],
            check=False,
            env=at.environment | {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "", "HTTP_PROXY": ""},
            cwd=at.folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{ELSEWHERE} port 9 would be reached" in done.stderr.splitlines()[-1]
    assert not installed(at)


def installed(at: Place) -> list[Path]:
    return list((at.folder / "home" / "models").glob("*/*.json"))
