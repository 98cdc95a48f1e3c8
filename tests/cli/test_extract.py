"""`voxgate extract`: data from recordings by a schema, of a real model and of a server."""

from __future__ import annotations

import asyncio
import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import SCRIPTED, Running, serving
from tests.scripted import Scripted
from tests.sounds import SAMPLE
from tests.spoken_digits import ANSWERS, CHECKPOINT, WORDS, phrase, takes
from voxgate.transcript.formats.json import data
from voxgate.transcript.values import Structured, Transcript

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cli.command import CliRunner

ANSWER = {"items": [{"title": "Mix \u009b31m", "due": None, "priority": "high"}]}
LINE = json.dumps(ANSWER, ensure_ascii=False, separators=(",", ":")).replace("\u009b", "\\u009b")
CHOICE = {"enum": ["a voice note", "a meeting"]}
MODEL = ("-m", CHECKPOINT)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    provider = Scripted(
        answers=lambda _: json.dumps(ANSWER, ensure_ascii=False),
        hears_s=60.0,
        honours=frozenset({"max_tokens"}),
    )
    async with serving(tmp_path / "server", provider) as running:
        yield running


async def run(
    cli: CliRunner, server: Running, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    reached = ("--server", server.url, "--key", server.key, "-m", SCRIPTED)
    return await asyncio.to_thread(cli.run, *arguments, *reached)


def schema_file(cli: CliRunner, schema: Any) -> Path:
    path = cli.folder / "wanted.json"
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return path


def test_a_real_model_writes_data_that_the_schema_allows(cli: CliRunner) -> None:
    done = cli.run("extract", SAMPLE, "--schema", schema_file(cli, CHOICE), *MODEL)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) in CHOICE["enum"]
    assert done.stdout.count("\n") == 1


def test_what_is_said_is_in_the_data(cli: CliRunner) -> None:
    digits = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}}
    wanted = {"type": "object", "properties": {"digits": digits}, "required": ["digits"]}
    schema = schema_file(cli, {**wanted, "additionalProperties": False})
    speakers = list(takes().values())
    spoken = [phrase(random.Random(n), speakers[n], 2 + n) for n in range(4)]
    files = [each.save(cli.folder / f"{n}.wav") for n, each in enumerate(spoken)]
    done = cli.run("extract", *files, "--schema", schema, "-m", ANSWERS)
    assert done.returncode == 0, done.stderr
    said = [[WORDS.index(word.word) for word in each.said] for each in spoken]
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"digits": each} for each in said
    ]


def test_data_that_was_cut_off_is_an_error_and_not_printed(cli: CliRunner) -> None:
    done = cli.run("extract", SAMPLE, "-s", "minutes", *MODEL, "--max-tokens", "3")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the data was cut off" in done.stderr
    assert "--max-tokens" in done.stderr


def test_a_model_that_only_transcribes_is_refused_with_the_next_step(cli: CliRunner) -> None:
    done = cli.run("extract", SAMPLE, "-s", "minutes")  # the built-in model is the only one
    assert (done.returncode, done.stdout) == (2, "")
    assert "does not answer questions" in done.stderr
    assert "voxgate models pull mistralai/Voxtral-Mini-3B-2507" in done.stderr


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ('{\n "type": "object",\n}', "wanted.json:3:1: this is not JSON"),
        ('{"type": "thing"}', "wanted.json"),
        ('{"$ref": "https://example.com/schema.json"}', "wanted.json"),
        ("[" * 100_000, "nested too deeply"),
        (None, "There is no schema 'wanted.json': neither a file nor a ready one. The ready ones"),
    ],
)
def test_a_bad_schema_is_named_before_any_work(
    cli: CliRunner, schema: str | None, message: str
) -> None:
    if schema is not None:
        schema_file(cli, schema)
    done = cli.run("extract", SAMPLE, "-s", "wanted.json", *MODEL)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_several_recordings_are_lines_of_json(
    cli: CliRunner, tmp_path: Path, server: Running
) -> None:
    recordings = []
    for name in ("one.flac", "two.flac"):
        recordings.append(cli.folder / name)
        recordings[-1].write_bytes(SAMPLE.read_bytes())
    (cli.folder / "bad.flac").write_bytes(b"no sound")
    done = await run(cli, server, "extract", *recordings, "bad.flac", "-s", "to-do")
    assert done.returncode == 1
    assert done.stdout == f"{LINE}\n{LINE}\n"  # nothing that a terminal obeys
    assert "3 recordings: 2 answered, 1 failed" in done.stderr
    question, _ = server.provider.questions[0]
    assert json.loads(question.schema or "")["title"] == "To-do list"


async def test_a_terminal_gets_it_indented_and_a_folder_a_file_for_each(
    cli: CliRunner, server: Running
) -> None:
    (cli.folder / "talk.flac").write_bytes(SAMPLE.read_bytes())
    done = await run(cli, server, "extract", "talk.flac", "-s", "to-do", "-o", "out")
    assert (done.returncode, done.stdout) == (0, "")
    written = (cli.folder / "out" / "talk.json").read_text()
    assert json.loads(written) == ANSWER
    assert written.startswith('{\n  "items": [\n')
    done = await run(cli, server, "extract", "talk.flac", "-s", "to-do", "-o", "data.json")
    assert (cli.folder / "data.json").read_text() == written
    done = await run(cli, server, "extract", "talk.flac", "-s", "to-do", "-o", "talk.srt")
    assert done.returncode == 2
    assert "talk.srt is no name for JSON" in done.stderr


async def test_what_a_server_cut_off_is_an_error(cli: CliRunner, server: Running) -> None:
    done = await run(cli, server, "extract", SAMPLE, "-s", "to-do", "--max-tokens", "1")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the data was cut off" in done.stderr


async def test_a_server_whose_models_only_transcribe_has_none_for_it(
    cli: CliRunner, tmp_path: Path
) -> None:
    async with serving(tmp_path / "server") as plain:
        call = ("extract", SAMPLE, "-s", "to-do", "--server", plain.url, "--key", plain.key)
        unnamed = await asyncio.to_thread(cli.run, *call)
        named = await run(cli, plain, "extract", SAMPLE, "-s", "to-do")
    assert "The server has no model that answers." in unnamed.stderr
    assert unnamed.returncode == 2
    assert f"{SCRIPTED} does not answer questions" in named.stderr
    assert named.returncode == 1


def test_a_transcript_of_a_library_has_its_data_in_json() -> None:
    whole = Transcript((), 1.0, "a", structured=Structured('{"a": 1}'))
    assert data(whole) == {"structured": {"a": 1}, "structured_finish_reason": "stop"}
    cut = Transcript((), 1.0, "a", structured=Structured(None, "length"))
    assert data(cut) == {"structured": None, "structured_finish_reason": "length"}
    assert data(Transcript((), 1.0, "a")) == {}
