"""`voxgate eval`: real speech by a real model, servers, broken recordings, wrong usage."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tests.cli.command import (
    CLIP_WORDS,
    DEADLINE_S,
    MODEL,
    CliRunner,
    clip,
    isolated_cli,
    wait_until,
    write_wav,
)
from tests.client.wire import GOLDEN, Answer, failure, http, wire
from tests.failures import raises
from voxgate.cli import app

KEY = "sk-vg-0123456789abcdef"
NAME = "Systran/faster-whisper-base"


@dataclass(frozen=True)
class Run:
    """One call over recordings of every kind."""

    code: int
    table: str
    errors: list[str]
    record: dict[str, Any]
    page: str

    def results(self, name: str) -> dict[str, Any]:
        (found,) = (each for each in self.record["recordings"] if each["recording"] == name)
        result: dict[str, Any] = found["results"][0]
        return result


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    root = tmp_path_factory.mktemp("eval")
    given = root / "given"
    write_wav(given / "talk.wav", clip())
    (given / "talk.txt").write_text(f"The {CLIP_WORDS.upper()}!\n")
    write_wav(given / "low" / "silence.wav", 0 * clip())
    (given / "low" / "list.csv").write_text("path,text\nsilence.wav,\n")
    (given / "broken.wav").write_bytes(b"RIFF\0\0\0\0WAVEnothing that makes sense")
    (given / "broken.txt").write_text("nothing\n")
    write_wav(given / "unknown.wav", clip())
    with isolated_cli(root) as cli:
        done = cli.run(
            *("eval", "given", *MODEL, "-o", "out/report.html", "-o", "out/report.json"),
            VOXGATE_PRICES="openai/whisper-base = 0.006/minute",
        )
        yield Run(
            done.returncode,
            done.stdout,
            done.stderr.splitlines(),
            json.loads((root / "out/report.json").read_text()),
            (root / "out/report.html").read_text(),
        )


def test_real_speech_is_scored(run: Run) -> None:
    (figures,) = run.record["models"]
    assert (figures["model"], figures["recordings"], figures["failed"]) == (NAME, 2, 1)
    assert figures["wer"]["reference"] == 6
    assert figures["wer"]["hits"] >= 5
    assert figures["audio_seconds"] == 5.0
    assert 0 < figures["real_time_factor"] < 60
    assert figures["cost_per_audio_hour"] == 0.36
    assert CLIP_WORDS in run.results("talk.wav")["text"]
    assert run.results("low/silence.wav")["errors"] is None


def test_a_broken_recording_is_named_and_the_others_are_scored(run: Run) -> None:
    assert run.code == 1
    (line,) = (line for line in run.errors if "broken.wav" in line)
    assert line.startswith("voxgate: broken.wav")
    assert run.results("broken.wav")["error"]["code"] == "truncated_audio"


def test_a_recording_without_a_reference_is_named_and_left_out(run: Run) -> None:
    assert "voxgate: without a reference, left out: unknown.wav." in run.errors
    assert run.record["left_out"] == ["unknown.wav"]


def test_the_table_is_divided_by_tabs_and_the_page_has_the_words(run: Run) -> None:
    headings, row = (line.split("\t") for line in run.table.splitlines())
    assert headings[:2] == ["model", "WER"]
    assert headings[-3:] == ["failed", "speed", "$/hour"]
    assert (row[0], row[-3], row[-1]) == (NAME, "1", "0.3600")
    assert "<b>train</b><i>train</i>" in run.page
    assert "voxgate: wrote out/report.html" in run.errors


def recordings(cli: CliRunner, **references: str | None) -> None:
    """Write files that only a server reads, with their references."""
    (cli.folder / "given").mkdir()
    for name, text in references.items():
        (cli.folder / "given" / f"{name}.wav").write_bytes(b"RIFF, to a client")
        if text is not None:
            (cli.folder / "given" / f"{name}.txt").write_text(text)


def test_models_of_a_server_are_compared(empty_cli: CliRunner) -> None:
    recordings(empty_cli, a="the train stopped outside", b="outside the city")
    first, second = http(200, GOLDEN), http(200, {**GOLDEN, "text": "no", "segments": []})
    with wire(first, first, second, second) as server:
        done = empty_cli.run(
            *("eval", "given", "-m", "acme/one", "-m", "acme/two", "-f", "json"),
            *("--server", server.url, "--key", KEY, "--language", "English"),
        )
        requests = [request.json() for request in server.requests]
        assert {each.headers["authorization"] for each in server.requests} == {f"Bearer {KEY}"}
    assert (done.returncode, done.stderr) == (0, "")
    assert [each["model"] for each in requests] == ["acme/one"] * 2 + ["acme/two"] * 2
    assert {each["language"] for each in requests} == {"en"}
    one, two = json.loads(done.stdout)["models"]
    assert (one["model"], one["wer"]["hits"], one["wer"]["insertions"]) == ("acme/one", 6, 4)
    assert (two["model"], two["wer"]["hits"], two["cost_per_audio_hour"]) == ("acme/two", 0, None)


def test_a_model_elsewhere_is_asked_once_and_has_its_price_there(empty_cli: CliRunner) -> None:
    """Nothing is loaded for it, so that its first recording is not transcribed again."""
    write_wav(empty_cli.folder / "given" / "talk.wav", clip())
    (empty_cli.folder / "given" / "talk.txt").write_text(CLIP_WORDS)
    (empty_cli.folder / "home").mkdir()
    with wire(http(200, {"text": CLIP_WORDS})) as server:
        tables = f"""
            [[providers]]
            name = "near"
            kind = "vllm"
            url = "{server.url}"
            [[endpoints]]
            model = "acme/one"
            provider = "near"
            upstream_model = "one"
            [[prices]]
            model = "acme/one"
            amount = "0.006"
            unit = "minute"
            [[prices]]
            model = "acme/one"
            provider = "near"
            amount = "0.72"
            unit = "hour"
        """
        (empty_cli.folder / "home" / "voxgate.toml").write_text(tables)
        done = empty_cli.run("eval", "given", "-m", "acme/one", "-f", "json")
        assert len(server.requests) == 1
    (figures,) = json.loads(done.stdout)["models"]
    assert (figures["wer"]["rate"], figures["cost_per_audio_hour"]) == (0, 0.72)


def test_a_terminal_shows_the_model_and_the_progress(empty_cli: CliRunner) -> None:
    recordings(empty_cli, a="train stopped outside the city", b="no")
    with wire(*[http(200, GOLDEN)] * 4) as server:
        code, out, shown = empty_cli.run_on_terminal(
            *("eval", "given", "-m", "acme/one", "-m", "acme/two", "--server", server.url)
        )
    assert code == 0
    assert "model 2 of 2: acme/two" in shown
    assert "file 2 of 2 b.wav" in shown
    assert out.splitlines()[0].split("\t") == ["model", "WER", "sub", "del", "ins", "speed"]


def test_a_limit_takes_the_first_by_name(empty_cli: CliRunner) -> None:
    recordings(empty_cli, b="no", c="no", a=None)
    with wire(http(200, GOLDEN)) as server:
        done = empty_cli.run(
            "eval", "given", "-m", "acme/one", "--limit", "1", "-f", "json", "--server", server.url
        )
    assert [each["recording"] for each in json.loads(done.stdout)["recordings"]] == ["b.wav"]


def test_the_only_model_of_a_server_is_named(empty_cli: CliRunner) -> None:
    recordings(empty_cli, a="no")
    models = http(200, {"data": [{"id": "acme/only"}]})
    with wire(models, http(200, {**GOLDEN, "model": "acme/only"})) as server:
        done = empty_cli.run("eval", "given", "--server", server.url)
    assert done.stdout.splitlines()[1].startswith("acme/only\t")


def test_reports_are_written_though_nobody_reads_the_table(empty_cli: CliRunner) -> None:
    recordings(empty_cli, a="train stopped outside the city")
    reading, writing = os.pipe()
    os.close(reading)
    with wire(http(200, GOLDEN)) as server, os.fdopen(writing, "wb") as closed:
        call = ("eval", "given", "-m", "acme/one", "--server", server.url)
        done = empty_cli.run(*call, "-o", "out/report.json", stdout=closed)
    assert done.returncode == 141
    record = json.loads((empty_cli.folder / "out" / "report.json").read_text())
    assert record["models"][0]["wer"]["rate"] == 0


def test_a_model_that_fails_altogether_leaves_the_other_its_report(empty_cli: CliRunner) -> None:
    recordings(empty_cli, a="train stopped", b="no")
    refusal = failure(401, "No such key.")
    with wire(refusal, http(200, GOLDEN), http(200, GOLDEN)) as server:
        done = empty_cli.run(
            *("eval", "given", "-m", "acme/one", "-m", "acme/two", "-f", "json"),
            *("--server", server.url),
        )
    one, two = json.loads(done.stdout)["models"]
    assert done.returncode == 1
    assert (one["failed"], one["not_begun"], one["wer"]) == (1, 1, None)
    assert (two["recordings"], two["failed"]) == (2, 0)


def test_without_any_text_there_is_no_report(empty_cli: CliRunner) -> None:
    recordings(empty_cli, a="no")
    with wire(failure(401, "No such key.")) as server:
        done = empty_cli.run(
            "eval", "given", "-m", "acme/one", "-o", "report.json", "--server", server.url
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert "a.wav" in done.stderr
    assert not (empty_cli.folder / "report.json").exists()


def test_a_reference_that_cannot_be_read_is_a_failure(empty_cli: CliRunner) -> None:
    recordings(empty_cli, a="no", b=None)
    (empty_cli.folder / "given" / "b.txt").write_bytes(b"\xff\xfe")
    with wire(http(200, GOLDEN)) as server:
        done = empty_cli.run("eval", "given", "-m", "acme/one", "--server", server.url)
    assert done.returncode == 1
    assert "given/b.txt is not UTF-8 text" in done.stderr


def test_ctrl_c_says_how_far_it_was(empty_cli: CliRunner) -> None:
    recordings(empty_cli, a="no", b="no")
    gate = Event()
    with wire(http(200, GOLDEN), Answer(http(200, GOLDEN), gate=gate)) as server:
        call = ("eval", "given", "-m", "acme/one", "-o", "report.json", "--server", server.url)
        with empty_cli.running(*call) as process:
            wait_until(lambda: len(server.requests) == 2 or process.poll() is not None)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=DEADLINE_S)
        gate.set()
    assert process.returncode == 130
    assert "interrupted: stopping." in errors
    assert "1 of 2 transcripts were made; there is no report without all." in errors
    assert not (empty_cli.folder / "report.json").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("none",), "There is no folder at none"),
        (("n" * 300,), "There is no folder at n"),
        (("given", "-o", "n" * 300 + ".html"), "Write what is said in a.wav"),
        (("given/a.wav",), "is no folder"),
        (("given",), "Write what is said in a.wav into a.txt beside it"),
        (("given", "-m", "acme/bass"), "acme/bass"),
        (("given", *MODEL, "-m", "openai/whisper-base"), "is named twice"),
        (("given", "-o", "report.pdf"), "-o report.pdf is no .html or .json file"),
        (("given", "-f", "pdf"), "--format"),
        (("given", "--limit", "0"), "--limit"),
        (("given", "--language", "eo"), "list the 99 it knows"),
        (("given", "--key", KEY), "--key is for a server"),
        (("given", "--server", "ftp://a"), "ftp://a"),
    ],
)
def test_wrong_usage_is_reported_before_any_work(
    cli: CliRunner, arguments: tuple[str, ...], says: str
) -> None:
    recordings(cli, a=None)
    done = cli.run("eval", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_report_may_not_replace_what_is_read(cli: CliRunner) -> None:
    recordings(cli)
    write_wav(cli.folder / "given" / "a.json", clip())
    (cli.folder / "given" / "a.txt").write_text("no")
    done = cli.run("eval", "given", "-o", "given/a.json")
    assert done.returncode == 2
    assert "given/a.json is a recording or a reference" in done.stderr


def test_without_the_libraries_it_says_how_to_install_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VOXGATE_HOME", str(tmp_path))
    monkeypatch.setattr("voxgate.cli.eval.find_spec", lambda _: None)
    with raises("invalid_request", match=r"needs jiwer, .*: `.*install.*\[eval\]"):
        app(["eval", str(tmp_path)], standalone_mode=False)
