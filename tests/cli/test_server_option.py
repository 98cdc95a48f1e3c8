"""`voxgate transcribe --server`: the same behaviour as without it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import CLIP_WORDS, DEADLINE_S, MODEL, CliRunner, without_times, write_wav
from tests.client.wire import GOLDEN, Answer, chunked, failure, http, wire
from tests.sounds import Pcm
from voxgate.transcript.formats import WRITERS

KEY = "sk-vg-0123456789abcdef"
NAME = "Systran/faster-whisper-base"
ONE = http(200, {"data": [{"id": NAME}]})
WORDS = "train stopped\noutside the city\n"  # of the golden answer, as txt
NOTE = b"RIFF, to a client as good as any"


@pytest.fixture
def note(cli: CliRunner) -> Path:
    path = cli.folder / "note.wav"
    path.write_bytes(NOTE)
    return path


def loaded(cli: CliRunner, *arguments: str) -> tuple[set[str], str]:
    """The modules that a call has loaded by its end, and its standard output."""
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"sys.argv = ['voxgate', *{list(arguments)}]\n"
        "from voxgate.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=cli.environment,
        cwd=cli.folder,
        capture_output=True,
        check=True,
        timeout=DEADLINE_S,
    )
    return set(json.loads(done.stderr.splitlines()[-1])), done.stdout.decode()


def test_every_format_is_what_a_local_run_writes(cli: CliRunner, spoken: Pcm) -> None:
    write_wav(cli.folder / "talk.wav", spoken)
    formats = [part for name in WRITERS for part in ("-f", name)]
    assert cli.run("transcribe", "talk.wav", *MODEL, "-o", "here", *formats).returncode == 0
    with wire(http(200, (cli.folder / "here/talk.verbose.json").read_bytes())) as server:
        call = ("transcribe", "talk.wav", *MODEL, "-o", "there", *formats, "--language", "EN")
        done = cli.run(*call, "--server", server.url, "--key", KEY)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        (request,) = server.requests
        assert request.recording() == (cli.folder / "talk.wav").read_bytes()
        assert request.json()["language"] == "en"
        assert request.headers["authorization"] == f"Bearer {KEY}"
    for path in (cli.folder / "here").iterdir():
        assert (cli.folder / "there" / path.name).read_text() == path.read_text(), path.name


def test_every_option_reaches_the_server(cli: CliRunner, note: Path) -> None:
    with wire(http(200, GOLDEN)) as server:
        done = cli.run(
            *("transcribe", note, *MODEL, "--server", server.url, "--temperature", "0.5"),
            *("--top-p", "0.9", "--seed", "-7", "--max-tokens", "9", "--stop", "end"),
            *("--stop", "fin", "--frequency-penalty", "-1", "--presence-penalty", "1"),
            *("--task", "translate", "--prompt", "A talk.", "--beam-size", "3"),
            *("--keyterm", "Voxgate", "--keyterm", "Lovelace, Ada", "--track", "de"),
        )
        assert done.returncode == 0
        (request,) = server.requests
        wanted: dict[str, object] = {"temperature": 0.5, "top_p": 0.9, "seed": -7}
        wanted |= {"max_tokens": 9, "stop": ["end", "fin"]}
        wanted |= {"frequency_penalty": -1.0, "presence_penalty": 1.0, "beam_size": 3}
        wanted |= {"prompt": "A talk.", "keyterms": ["Voxgate", "Lovelace, Ada"], "track": "de"}
        assert request.path.endswith("/audio/translations")
        assert wanted.items() <= request.json().items()


def test_the_only_model_is_used_and_named(cli: CliRunner, note: Path) -> None:
    with wire(ONE, http(200, GOLDEN)) as server:
        done = cli.run("transcribe", note, VOXGATE_SERVER=f"{server.url}/api/v1/", VOXGATE_KEY=KEY)
        assert (done.returncode, done.stdout) == (0, WORDS)
        assert done.stderr == f"voxgate: {NAME} is used: the server has no other model.\n"
        asked, sent = server.requests
        assert asked.headers["authorization"] == sent.headers["authorization"] == f"Bearer {KEY}"
        assert sent.json()["model"] == NAME


@pytest.mark.parametrize(
    ("models", "says"),
    [(["b/b", "a/a"], "name one of them with -m: b/b, a/a."), ([], "no model that transcribes")],
)
def test_of_several_models_one_has_to_be_named(
    cli: CliRunner, note: Path, models: list[str], says: str
) -> None:
    with wire(http(200, {"data": [{"id": model} for model in models]})) as server:
        done = cli.run("transcribe", note, "--server", server.url)
        assert (done.returncode, done.stdout) == (2, "")
        assert says in done.stderr
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--server", "localhost:8000"), "Write it as http://localhost:8000"),
        (("--server", ""), "Write it as http://localhost:8000"),
        (("--server", "http://h", "--key", ""), "key is empty"),
        (("--server", "http://h", "--pcm", "f32le:48000:2"), "only as s16le:16000:1"),
    ],
)
def test_wrong_usage_is_reported_before_any_work(
    cli: CliRunner, note: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = cli.run("transcribe", note, "-o", "out", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert not (cli.folder / "out").exists()


def test_one_failure_stops_no_other_recording(cli: CliRunner, note: Path) -> None:
    (cli.folder / "late.wav").write_bytes(NOTE)
    warned = GOLDEN | {"warnings": [{"code": "c", "sentence": "The recording jumps."}]}
    with wire(failure(400, "The recording holds no sound."), http(200, warned)) as server:
        done = cli.run(
            *("transcribe", *MODEL, "note.wav", "gone.wav", "late.wav", "--figures"),
            VOXGATE_SERVER=server.url,
        )
    assert done.returncode == 1
    assert done.stdout == f"==> late.wav <==\n{WORDS}"
    refused, gone, warning, summary, figures = done.stderr.splitlines()
    assert refused == "voxgate: note.wav: The recording holds no sound."
    assert "no file at gone.wav" in gone
    assert warning == "voxgate: warning: late.wav: The recording jumps."
    assert without_times(summary) == "voxgate: 3 recordings: 1 transcribed, 2 failed."
    assert figures.startswith("voxgate: 2.5 s of sound in ")


def test_an_unusable_server_is_not_tried_for_every_recording(cli: CliRunner, note: Path) -> None:
    with wire(failure(401, "The key is not valid here.")) as server:
        done = cli.run("transcribe", *MODEL, note, note.name, "a.wav", "--server", server.url)
    assert (done.returncode, done.stdout) == (1, "")
    refused, rest = done.stderr.splitlines()
    assert "note.wav: The key is not valid here. Give a key with --key" in refused
    assert rest == "voxgate: 2 recordings: 1 failed, 1 not begun."
    done = cli.run("transcribe", note, "--server", server.url)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"voxgate: Nothing listens at {server.url}/api/v1")


def test_standard_input_is_sent_when_it_has_ended(cli: CliRunner) -> None:
    data = bytes(range(256)) * 1000
    with wire(http(200, GOLDEN)) as server:
        done = cli.run(
            *("transcribe", "-", *MODEL, "--pcm", "s16le:16000", "--server", server.url), stdin=data
        )
        assert (done.returncode, done.stdout) == (0, WORDS)
        (request,) = server.requests
        assert request.recording() == data
        assert request.json()["input_audio"]["format"] == "pcm"


def test_a_busy_server_is_retried_with_a_message(cli: CliRunner, note: Path) -> None:
    with wire(failure(503, "Full.", retry_after="0"), http(200, GOLDEN)) as server:
        done = cli.run("transcribe", *MODEL, note, "--server", server.url)
    assert (done.returncode, done.stdout) == (0, WORDS)
    assert done.stderr == "voxgate: the server is busy: the next attempt is in 0 s.\n"


def test_no_server_is_contacted_without_recordings(cli: CliRunner) -> None:
    with wire() as server:
        done = cli.run("transcribe", "gone.wav", ".", "--server", server.url)
        assert done.returncode == 1
        assert server.requests == []


def test_ctrl_c_closes_the_connection(cli: CliRunner, note: Path) -> None:
    answer = Answer(chunked(b" ", whole=False), keeps_open=True)
    with (
        wire(answer) as server,
        cli.running("transcribe", *MODEL, note, "--server", server.url) as (process),
    ):
        assert server.responded.wait(DEADLINE_S)
        os.killpg(process.pid, signal.SIGINT)
        assert server.disconnected.wait(DEADLINE_S)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err) == (130, "", "voxgate: interrupted: stopping.\n")


def test_a_terminal_shows_that_work_is_in_progress(cli: CliRunner, note: Path) -> None:
    with wire(http(200, GOLDEN)) as server:
        code, out, shown = cli.run_on_terminal("transcribe", *MODEL, note, "--server", server.url)
    assert (code, out) == (0, WORDS)
    assert "note.wav" in shown
    assert "waiting for the server 0:00" in shown


def test_neither_way_loads_what_the_other_needs(cli: CliRunner, note: Path, spoken: Pcm) -> None:
    with wire(http(200, GOLDEN)) as server:
        modules, out = loaded(cli, "transcribe", *MODEL, note.name, "--server", server.url)
    assert out == WORDS
    assert "httpx2" in modules
    assert modules.isdisjoint(
        {"av", "numpy", "voxgate.models.catalogue", "voxgate.pipeline.session"}
    )
    assert "voxgate.audio.decoder_pool" not in modules
    write_wav(note, spoken)
    modules, out = loaded(cli, "transcribe", *MODEL, note.name)
    assert CLIP_WORDS in out
    assert modules.isdisjoint({"httpx2", "voxgate.client.remote"})


def test_the_help_says_where_a_key_is_seen(cli: CliRunner) -> None:
    shown = " ".join(cli.run("transcribe", "--help", VOXGATE_KEY=KEY).stdout.split())
    assert "VOXGATE_SERVER" in shown
    assert "VOXGATE_KEY" in shown
    assert "(ps)" in shown
    assert KEY not in shown


def test_a_key_without_a_server_is_wrong_usage_unless_it_is_the_environments(
    cli: CliRunner, note: Path, spoken: Pcm
) -> None:
    write_wav(note, spoken)
    refused = cli.run("transcribe", *MODEL, note, "--key", KEY)
    assert refused.returncode == 2
    assert "--server" in refused.stderr
    assert KEY not in refused.stderr
    assert cli.run("transcribe", *MODEL, note, VOXGATE_KEY=KEY).returncode == 0
