"""`voxgate engine`: a model on a socket, as a program of any language meets it."""

import json
import signal
import subprocess
import sys

import httpx2
import pytest

from tests.cli.command import DEADLINE_S, CliRunner
from tests.engine.folders import weightless
from tests.engine.material import is_done, voice_note
from tests.spoken_digits import CHECKPOINT
from voxgate.engine.protocol import Health, decode
from voxgate.transcript.values import Segment

MODEL = "Systran/faster-whisper-base"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_on_its_socket_until_a_signal(cli: CliRunner, number: signal.Signals) -> None:
    socket = cli.temp / "engine"
    with cli.running("engine", MODEL, "--socket", socket, "--grace", "5") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"ready": MODEL}
        transport = httpx2.HTTPTransport(uds=str(socket))
        with httpx2.Client(
            transport=transport, base_url="http://engine", timeout=DEADLINE_S
        ) as http:
            assert Health.decode(http.get("/health").content).model == MODEL
            answer = http.post("/transcribe", content=voice_note())
        *events, done = map(decode, answer.content.splitlines())
        assert is_done(done)
        assert any(isinstance(event, Segment) for event in events)
        process.send_signal(number)
        assert process.wait(DEADLINE_S) == 0
        assert not socket.exists()


def test_a_card_alone_names_no_profile_that_nobody_asked_for(cli: CliRunner) -> None:
    """A card's one profile is its own: what is said is that there is none. Tests hide cards."""
    call = [sys.executable, "-m", "voxgate.engine", str(CHECKPOINT), "--device", "cuda:0"]
    done = subprocess.run(
        [*call, "--socket", str(cli.temp / "engine")],
        env=cli.environment | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True, text=True, check=False, timeout=DEADLINE_S,
    )  # fmt: skip
    assert done.returncode == 1
    assert "'cuda:0'" in done.stderr
    assert "VOXGATE_DEVICE=cpu" in done.stderr
    assert "profile" not in done.stderr


def test_what_cannot_be_served_is_reported_in_one_line(cli: CliRunner) -> None:
    weightless(cli.folder / "mine")
    calls = {
        ("a/b", "--socket", "e"): (2, "No model is called 'a/b'"),
        ("./none", "--socket", "e"): (2, "./none is not a readable folder"),
        ("./mine", "--socket", "e"): (2, "mine"),
        (MODEL,): (2, "--socket"),
        (MODEL, "--socket", "x" * 200): (1, "No socket can be created"),
    }
    for arguments, (code, says) in calls.items():
        done = cli.run("engine", *arguments)
        assert (done.returncode, done.stdout) == (code, ""), arguments
        assert says in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
