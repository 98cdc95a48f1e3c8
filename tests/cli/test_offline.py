"""`voxgate --offline`: it works where there is no network, and sends nothing where there is one."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import voxgate.cli
from tests import served_alone
from tests.cli.command import CLIP_WORDS, DEADLINE_S, MODEL, Place, write_wav
from tests.hub import Hub, Repository
from tests.island import ELSEWHERE, alone, counted
from tests.registry.checkpoints import write_hf
from tests.sounds import SAMPLE, Pcm
from tests.spoken_digits import CHECKPOINT, Spoken, phrase, takes

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


@pytest.fixture
def digits() -> Spoken:
    speakers = list(takes().values())
    return phrase(random.Random(5), speakers[0], 6)


def test_the_embedded_engine_needs_no_network(at: Place) -> None:
    done = at.run("--offline", "transcribe", SAMPLE, *MODEL, before=alone())
    assert (done.returncode, done.stderr) == (0, "")
    assert CLIP_WORDS in done.stdout


def test_a_model_comes_in_a_file_and_hears_digits_without_a_network(
    at: Place, digits: Spoken
) -> None:
    at.run("models", "add", CHECKPOINT, "--name", "acme/digits")
    assert at.run("models", "export", "acme/digits", "digits.tar").returncode == 0
    settings: dict[str, Any] = {"VOXGATE_HOME": str(at.folder / "other"), "VOXGATE_OFFLINE": "yes"}
    done = at.run("models", "import", "digits.tar", before=alone(), **settings)
    assert done.returncode == 0, done.stderr
    sound = digits.save(at.folder / "digits.wav")
    done = at.run("transcribe", sound, "-m", "acme/digits", before=alone(), **settings)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == digits.text.split()


def test_a_server_needs_no_network_but_its_loopback(at: Place, spoken: Pcm) -> None:
    sound = write_wav(at.folder / "a.wav", spoken)
    done = subprocess.run(
        [*alone(), sys.executable, served_alone.__file__, sound, MODEL[1]],
        check=False,
        env=at.environment,
        cwd=at.folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    assert CLIP_WORDS in json.loads(done.stdout)["text"]


@pytest.mark.parametrize(
    ("arguments", "settings", "says"),
    [
        (("models", "pull", "acme/a"), {}, "`voxgate models import FILE` here"),
        (("models", "pull", "acme/a"), {"HF_ENDPOINT": NOWHERE}, f"from {NOWHERE} offline"),
        (("models", "pull", "acme/a"), {"HF_ENDPOINT": "https://hub.example"}, "hub.example"),
        (
            ("models", "pull", "acme/a"),
            {"HF_ENDPOINT": "http://127.0.0.1:9", "HTTP_PROXY": NOWHERE},
            f"wanted to reach {ELSEWHERE}, port 9",
        ),
        (("transcribe", "a.wav", "--server", NOWHERE), {}, "is on another machine"),
        (("transcribe", "a.wav"), {"VOXGATE_SERVER": "https://hub.example"}, "hub.example"),
        (("serve", "--host", "0.0.0.0", "--port", "0"), {}, "the loopback alone"),  # noqa: S104
        (("serve", "--host", ELSEWHERE, "--port", "0"), {}, "the loopback alone"),
    ],
)
def test_nothing_is_sent_and_the_next_step_is_said(
    at: Place, spoken: Pcm, arguments: tuple[str, ...], settings: dict[str, Any], says: str
) -> None:
    write_wav(at.folder / "a.wav", spoken)
    clean: dict[str, Any] = {
        "HF_ENDPOINT": "",
        "HF_HUB_OFFLINE": "",
        "HTTP_PROXY": "",
        "NO_PROXY": "",
    }
    sent = at.folder / "sent"
    done = at.run("--offline", *arguments, before=counted(sent), **clean | settings)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert says in line
    assert "leave out `offline`" in line
    assert sent.read_text() == "0"


@pytest.mark.parametrize(
    "arguments",
    [("models", "pull", "acme/a"), ("transcribe", "a.wav", *MODEL, "--server", NOWHERE)],
)
def test_without_it_what_is_sent_is_counted(
    at: Place, spoken: Pcm, arguments: tuple[str, ...]
) -> None:
    write_wav(at.folder / "a.wav", spoken)
    sent = at.folder / "sent"
    done = at.run(*arguments, before=counted(sent), HF_ENDPOINT=NOWHERE, HF_HUB_OFFLINE="")
    assert done.returncode == 1
    assert int(sent.read_text()) > 0


@pytest.mark.parametrize("how", ["option", "variable", "file"])
def test_every_process_of_ours_has_its_ways_out_closed(at: Place, spoken: Pcm, how: str) -> None:
    write_wav(at.folder / "a.wav", spoken)
    (at.folder / "witness").mkdir()
    (at.folder / "witness" / "sitecustomize.py").write_text(ENFORCED)
    path = os.pathsep.join([str(at.folder / "witness"), os.environ.get("PYTHONPATH", "")])
    settings: dict[str, Any] = {"PYTHONPATH": path, "JOURNAL": str(at.folder / "journal")}
    if how == "variable":
        settings["VOXGATE_OFFLINE"] = "on"
    if how == "file":
        (at.folder / "home").mkdir()
        (at.folder / "home" / "config.toml").write_text("offline = true\n")
    option = ("--offline",) if how == "option" else ()
    done = at.run(*option, "transcribe", "a.wav", *MODEL, **settings)
    assert done.returncode == 0, done.stderr
    lines = (at.folder / "journal").read_text().splitlines()
    modules = {words[words.index("-m") + 1] for words in map(str.split, lines)}
    assert modules == {"voxgate", "voxgate.audio.decoder.server", "voxgate.engine"}


def test_a_hub_on_the_loopback_stays_allowed_and_leads_nowhere_else(at: Place) -> None:
    with Hub().running() as hub:
        hub.repositories["acme/a"] = Repository.of(write_hf(at.folder / "origin"))
        settings = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "", "HTTP_PROXY": ""}
        here, hub.cdn = hub.cdn, NOWHERE
        done = pulled(at, **settings)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"wanted to reach {ELSEWHERE}, port 9" in done.stderr.splitlines()[-1]
        hub.cdn = here
        done = pulled(at, **settings)
        assert done.returncode == 0, done.stderr


def pulled(at: Place, **settings: str) -> subprocess.CompletedProcess[str]:
    # Nothing is run in the child before its program: the hub has threads in this process.
    return subprocess.run(
        [sys.executable, "-m", "voxgate", "--offline", "models", "pull", "acme/a"],
        check=False,
        env=at.environment | settings,
        cwd=at.folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )


def test_each_command_reads_its_settings_where_they_are_heeded() -> None:
    """`Settings.read` alone would leave an `offline` of the settings file without effect."""
    (folder,) = voxgate.cli.__path__
    readers = {
        path.name for path in Path(folder).rglob("*.py") if "Settings.read(" in path.read_text()
    }
    assert readers == set()
