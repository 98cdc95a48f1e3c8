"""`--offline`: what works without a network, and that nothing else is tried."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.command import DEADLINE_S, MODEL
from tests.cli.test_models_pull import WITNESS
from tests.hub import Hub, Repository
from tests.models.store.checkpoints import write_hf
from tests.sounds import SAMPLE
from tests.spoken_digits import CHECKPOINT, phrase, takes
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import CliRunner

ALONE = ("unshare", "--map-root-user", "--net")  # a network of its own: no routes, lo down
ELSEWHERE = "192.0.2.1"  # for documentation, RFC 5737: nobody's

SERVE = """
import fcntl, json, os, socket, struct, subprocess, sys, urllib.request

IFF_UP, SIOCGIFFLAGS, SIOCSIFFLAGS = 1, 0x8913, 0x8914
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lo:  # a namespace begins with lo down
    asked = struct.pack("16sh14x", b"lo", 0)
    flags = struct.unpack("16sh14x", fcntl.ioctl(lo, SIOCGIFFLAGS, asked))[1]
    fcntl.ioctl(lo, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))

command = [sys.executable, "-m", "voxgate", "--offline", "serve", "--port", "8123"]
server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
for line in server.stderr:
    if "listening on" in line:
        break
path, model = sys.argv[1:]
parts = {b"model": model.encode(), b'file"; filename="a.wav': open(path, "rb").read()}
body = b"".join(
    b'--cut\\r\\nContent-Disposition: form-data; name="%s"\\r\\n\\r\\n%s\\r\\n' % part
    for part in parts.items()
) + b"--cut--\\r\\n"
request = urllib.request.Request(
    "http://127.0.0.1:8123/api/v1/audio/transcriptions", body,
    {"Content-Type": "multipart/form-data; boundary=cut"},
)
print(json.load(urllib.request.urlopen(request, timeout=40))["text"])
server.terminate()
sys.exit(server.wait())
"""


@pytest.fixture(scope="module")
def alone() -> tuple[str, ...]:
    if shutil.which("unshare") is None or subprocess.run([*ALONE, "true"], check=False).returncode:
        pytest.skip("this machine makes no network namespaces")
    return ALONE


def test_the_embedded_engine_needs_no_network(cli: CliRunner, alone: tuple[str, ...]) -> None:
    done = cli.run("--offline", "transcribe", SAMPLE, *MODEL, before=alone)
    assert done.returncode == 0, done.stderr
    assert "train stopped outside the city" in " ".join(done.stdout.split())


def test_voxtral_and_the_server_need_no_network(cli: CliRunner, alone: tuple[str, ...]) -> None:
    spoken = phrase(random.Random(6), takes()["george"], 4)
    sound = spoken.save(cli.folder / "four.wav")
    added = cli.run("--offline", "models", "add", CHECKPOINT, "--name", "digits", before=alone)
    assert added.returncode == 0, added.stderr
    done = cli.run("--offline", "transcribe", sound, "-m", "digits", before=alone)
    assert done.stdout.split() == spoken.text.split(), done.stderr
    served = subprocess.run(
        [*alone, sys.executable, "-c", SERVE, sound, "digits"],
        env={**cli.environment, "VOXGATE_AUTH": "off"},
        cwd=cli.folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert served.returncode == 0, served.stderr
    assert served.stdout.split() == spoken.text.split()


def environment(settings: dict[str, str]) -> dict[str, Any]:
    """For `Place.run`, whose other keywords are of other types."""
    return dict(settings)


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (("models", "pull", "a/b"), {}, "`voxgate models import FILE`"),
        (("models", "pull", "a/b"), {"HF_ENDPOINT": f"http://{ELSEWHERE}"}, "import FILE`"),
        (
            ("transcribe", SAMPLE, "--server", f"http://{ELSEWHERE}:9", "-m", "a/b"),
            {"VOXGATE_KEY": "sk-vg-1"},
            f"This would connect to the server http://{ELSEWHERE}:9/api/v1",
        ),
        (
            ("transcribe", SAMPLE, "--server", "http://somewhere.invalid", "-m", "a/b"),
            {"VOXGATE_KEY": "sk-vg-1"},
            "This would connect to the server http://somewhere.invalid/api/v1",
        ),
        (
            ("transcribe", f"http://{ELSEWHERE}/a.wav"),
            {},
            f"This would fetch a recording from {ELSEWHERE}",
        ),
        (("transcribe", "https://somewhere.invalid/a"), {}, "fetch a recording from somewhere.inv"),
        (("serve", "--host", "0.0.0.0", "--port", "0"), {}, "Other machines could reach 0.0.0.0"),  # noqa: S104
    ],
)
@pytest.mark.parametrize("how", ["option", "variable", "file"])
def test_every_use_of_the_network_is_refused_before_it_is_tried(
    cli: CliRunner, arguments: tuple[str | Path, ...], settings: dict[str, str], said: str, how: str
) -> None:
    journal = cli.folder / "journal"
    (cli.folder / "site").mkdir()
    (cli.folder / "site" / "sitecustomize.py").write_text(WITNESS, "utf-8")
    witness = {"JOURNAL": str(journal), "PYTHONPATH": str(cli.folder / "site")}
    if how == "option":
        arguments = ("--offline", *arguments)
    elif how == "variable":
        settings = {**settings, "VOXGATE_OFFLINE": "yes"}
    else:
        (cli.folder / "home").mkdir(exist_ok=True)
        (cli.folder / "home" / "voxgate.toml").write_text("offline = true\n", "utf-8")
    done = cli.run(*arguments, **environment(settings | witness))
    assert done.returncode == 1
    assert said in done.stderr
    assert "stay offline" in done.stderr
    assert "Traceback" not in done.stderr
    tried = journal.read_text("utf-8") if journal.exists() else ""
    assert all("0.0.0.0" in line for line in tried.splitlines())  # noqa: S104 (its own)


def test_a_hub_on_this_machine_is_allowed(cli: CliRunner) -> None:
    with Hub().running() as hub:
        hub.repositories["acme/tiny"] = Repository.from_folder(write_hf(cli.folder / "origin"))
        done = cli.run("--offline", "models", "pull", "acme/tiny", HF_ENDPOINT=hub.url)
    assert done.returncode == 0, done.stderr
    assert "installed acme/tiny" in done.stderr


@pytest.mark.parametrize("value", ["2", "offline", "-"])
def test_an_invalid_value_of_the_flag(cli: CliRunner, value: str) -> None:
    done = cli.run("ps", VOXGATE_OFFLINE=value)
    assert done.returncode == 2
    assert f"VOXGATE_OFFLINE: 'offline' must be 1 or 0, and is '{value}'" in done.stderr
    settings, _ = Settings.examine(cli.environment | {"VOXGATE_OFFLINE": value})
    assert settings.offline  # what is meant is unknown: doctor, which goes on, lets nothing out


CHILD = """
import json, socket, sys
from voxgate import offline
from voxgate.errors import VoxgateError
offline.inherit()
refused = []
for family, kind, call, address in (
    (socket.AF_INET, socket.SOCK_STREAM, "connect", ("192.0.2.1", 80)),
    (socket.AF_INET, socket.SOCK_STREAM, "connect_ex", ("192.0.2.1", 80)),
    (socket.AF_INET, socket.SOCK_STREAM, "connect", (b"192.0.2.1", 80)),
    (socket.AF_INET, socket.SOCK_STREAM, "connect", (bytearray(b"192.0.2.1"), 80)),
    (socket.AF_INET6, socket.SOCK_STREAM, "connect", ("2001:db8::1", 80)),
    (socket.AF_INET, socket.SOCK_DGRAM, "sendto", ("192.0.2.1", 53)),
    (socket.AF_INET, socket.SOCK_STREAM, "bind", ("", 0)),
    (socket.AF_INET, socket.SOCK_STREAM, "bind", ("0.0.0.0", 0)),
    (socket.AF_INET, socket.SOCK_STREAM, "bind", ("127.0.0.1", 0)),
):
    with socket.socket(family, kind) as made:
        try:
            getattr(made, call)(*([b"x"] if call == "sendto" else []), address)
        except VoxgateError as error:
            assert error.code == "offline"
            refused.append([call, str(address[0])])
        except OSError as error:
            refused.append([call, repr(error)])
print(json.dumps(refused))
"""


def test_it_applies_to_every_way_to_open_a_socket() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        env={**os.environ, "VOXGATE_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [
        ["connect", ELSEWHERE],
        ["connect_ex", ELSEWHERE],
        ["connect", f"b'{ELSEWHERE}'"],
        ["connect", f"bytearray(b'{ELSEWHERE}')"],
        ["connect", "2001:db8::1"],
        ["sendto", ELSEWHERE],
        ["bind", ""],
        ["bind", "0.0.0.0"],  # noqa: S104
    ]
