"""The engine as its callers meet it: a process, a socket, the protocol."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest

from tests.engine.material import (
    DEADLINE_S,
    MODEL,
    SECOND,
    VOICE_NOTE_WORDS,
    is_done,
    noise,
    voice_note,
    wait_until,
)
from voxgate.engine.protocol import OPTIONS_HEADER, EventLine, Health, decode, encode_options
from voxgate.hardware.level import LEVELS, available_levels
from voxgate.transcript.values import Done, Options, Progress, Segment
from voxgate.whisper.footprint import CALLS


@dataclass
class Engine:
    process: subprocess.Popen[bytes]
    socket: Path
    http: httpx2.Client

    def health(self) -> Health:
        return Health.decode(self.http.get("/health").content)

    def transcribe(self, pcm16: bytes) -> list[EventLine]:
        answer = self.http.post("/transcribe", content=pcm16)
        assert answer.status_code == 200
        return [decode(line) for line in answer.content.splitlines()]


@contextmanager
def running(*flags: str) -> Iterator[Engine]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "engine"
        command = [sys.executable, "-m", "voxgate.engine", MODEL, "--socket", str(path), *flags]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ) as process:
            try:
                assert process.stdout is not None
                assert json.loads(process.stdout.readline()) == {"ready": MODEL}
                transport = httpx2.HTTPTransport(uds=str(path))
                with httpx2.Client(
                    transport=transport, base_url="http://engine", timeout=DEADLINE_S
                ) as http:
                    yield Engine(process, path, http)
            finally:
                process.kill()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with running("--lifeline") as engine:
        yield engine


def test_the_socket_is_its_owners_alone(engine: Engine) -> None:
    assert stat.S_IMODE(engine.socket.stat().st_mode) == 0o600


def test_an_idle_engine_says_so(engine: Engine) -> None:
    wait_until(lambda: engine.health().active == 0)
    health = engine.health()
    expected = Health(
        model=MODEL,
        pid=engine.process.pid,
        state="idle",
        active=0,
        queued=0,
        taken=health.taken,
        idle_s=health.idle_s,
        slots=health.slots,
        steps=health.steps,
        step_windows=health.step_windows,
    )
    assert health == expected
    assert health.slots > 0
    assert health.idle_s is not None
    assert health.idle_s >= 0


def test_words_come_through(engine: Engine) -> None:
    *events, done = engine.transcribe(voice_note())
    assert is_done(done)
    assert VOICE_NOTE_WORDS in " ".join(e.text for e in events if isinstance(e, Segment))
    health = engine.health()
    assert 1 <= health.steps <= health.step_windows <= health.steps * health.slots
    assert any(isinstance(event, Progress) for event in events)


@pytest.mark.parametrize(
    ("body", "options", "says"),
    [
        (b"abc", "{}", "3 bytes are not a whole number of samples"),
        (bytes(30 * SECOND + 2), "{}", "longer than 30 s"),
        (b"", "{", "options of this call are malformed"),
        (b"", '{"speed":2}', "unknown field `speed`"),
        (b"", '{"language":7}', "got `int` - at `$.language`"),
        (b"", '{"language":"eo"}', "does not know the language 'Esperanto (eo)'"),
    ],
)
def test_a_call_that_cannot_be_answered_is_refused(
    engine: Engine, body: bytes, options: str, says: str
) -> None:
    answer = engine.http.post("/transcribe", content=body, headers={OPTIONS_HEADER: options})
    assert answer.status_code == 400
    error = json.loads(answer.content)
    assert error["type"] == "error"
    assert says in error["sentence"]
    assert error["retryable"] is False


def test_as_much_vocabulary_as_a_request_may_have_arrives(engine: Engine) -> None:
    options = encode_options(Options(vocabulary=("ß" * 2**16,) * 2))  # 256 KiB, before escaping
    answer = engine.http.post("/transcribe", content=b"", headers={OPTIONS_HEADER: options})
    assert answer.status_code == 200
    assert decode(answer.content.splitlines()[-1]) == Done()


def test_the_longest_window_is_taken(engine: Engine) -> None:
    assert engine.transcribe(bytes(30 * SECOND))[-1] == Done()


def test_other_routes_and_methods_do_not_exist(engine: Engine) -> None:
    assert engine.http.get("/").status_code == 404
    assert engine.http.get("/transcribe").status_code == 405


def test_closing_the_connection_frees_the_engine(engine: Engine) -> None:
    with engine.http.stream("POST", "/transcribe", content=noise(30)) as answer:
        lines = answer.iter_lines()  # dropping the iterator would close the connection
        assert decode(next(lines).encode()) == Progress(0.0)
        busy = engine.health()
        assert (busy.state, busy.active) == ("working", 1)
        assert busy.step_age_s is not None
        assert busy.idle_s is None
        assert busy.taken > 0
    wait_until(lambda: engine.health().active == 0)
    assert is_done(engine.transcribe(voice_note())[-1])


def test_leaving_while_waiting_takes_the_window_out_of_the_queue(engine: Engine) -> None:
    # Decoded again and again, since its text repeats itself: it is not done before the test is.
    sound = (voice_note() * 3)[:960_000]
    with contextlib.ExitStack() as stack:
        streams = list[object]()
        while len(streams) < CALLS:  # each is alone in its call
            stream = engine.http.stream("POST", "/transcribe", content=sound)
            streams.append(stack.enter_context(stream))
            wait_until(lambda: engine.health().active == len(streams))
        with engine.http.stream("POST", "/transcribe", content=noise(1)):
            wait_until(lambda: engine.health().queued == 1)
        wait_until(lambda: engine.health().queued == 0)
        assert engine.health().active == CALLS
    wait_until(lambda: engine.health().active == 0)


def test_leaving_before_the_sound_is_there_is_no_accident(engine: Engine) -> None:
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(engine.socket))
        raw.sendall(b"POST /transcribe HTTP/1.1\r\nHost: e\r\nContent-Length: 100\r\n\r\nxx")
    assert engine.transcribe(b"") == [Done()]


def test_sigterm_lets_accepted_windows_finish() -> None:
    with (
        running() as engine,
        engine.http.stream("POST", "/transcribe", content=voice_note()) as first,
    ):
        lines = first.iter_lines()
        next(lines)
        engine.process.terminate()
        *_, last = lines
        assert is_done(decode(last.encode()))
        assert engine.process.wait(DEADLINE_S) == 0
        assert not engine.socket.exists()


def test_sigterm_waits_no_longer_than_its_grace() -> None:
    with (
        running("--grace", "0") as engine,
        engine.http.stream("POST", "/transcribe", content=noise(30)) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        engine.process.terminate()
        with pytest.raises(httpx2.TransportError):
            list(lines)
        assert engine.process.wait(DEADLINE_S) == 0


def test_sigint_is_the_owners_business_on_a_lifeline(engine: Engine) -> None:
    engine.process.send_signal(signal.SIGINT)
    assert engine.transcribe(b"") == [Done()]


def test_sigint_ends_an_engine_that_nobody_owns() -> None:
    with running() as engine:
        engine.process.send_signal(signal.SIGINT)
        assert engine.process.wait(DEADLINE_S) == 0


def test_the_end_of_the_lifeline_ends_the_engine() -> None:
    with (
        running("--lifeline") as engine,
        engine.http.stream("POST", "/transcribe", content=noise(30)) as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        assert engine.process.stdin is not None
        engine.process.stdin.close()
        assert engine.process.wait(DEADLINE_S) == 1


def failed_start(*arguments: str, **environ: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-m", "voxgate.engine", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=os.environ | environ,
    )
    assert answer.returncode == 1
    assert answer.stdout == ""
    return answer.stderr.strip().splitlines()[-1]


def test_what_cannot_start_says_why(tmp_path: Path, engine: Engine) -> None:
    free = str(tmp_path / "e")
    assert "No model is called 'a/b'" in failed_start("a/b", "--socket", free)
    assert "listens there already" in failed_start(MODEL, "--socket", str(engine.socket))
    assert "No socket can be created" in failed_start(
        MODEL, "--socket", str(tmp_path / ("x" * 120))
    )
    level = next(level for level in LEVELS if level not in available_levels())
    refused = failed_start(MODEL, "--socket", free, VOXGATE_KERNELS=level)
    assert f"'kernels' is '{level}', and this processor has no such instructions" in refused
    assert "CTranslate2" in failed_start(MODEL, "--socket", free, CT2_FORCE_CPU_ISA="none")


def test_the_socket_of_a_dead_engine_is_replaced(tmp_path: Path) -> None:
    with running() as dead:
        dead.process.kill()
        dead.process.wait()
        command = [sys.executable, "-m", "voxgate.engine", MODEL, "--socket", str(dead.socket)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as heir:
            assert heir.stdout is not None
            assert heir.stdout.readline()
            heir.terminate()
            assert heir.wait(DEADLINE_S) == 0
