"""`voxgate ask` and `voxgate summarize`: a real model's words, and those of a server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.api.serving import SCRIPTED, Running, serving
from tests.scripted import Scripted
from tests.sounds import SAMPLE
from tests.spoken_digits import CHECKPOINT
from voxgate.answers.instructions import SUMMARY
from voxgate.answers.values import TextPart
from voxgate.errors import UsageError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cli.command import CliRunner
    from voxgate.answers.values import Question

MODEL = ("-m", CHECKPOINT)
ANSWER = "A train\nstopped \x1b[31moutside."
SHOWN = "A train\nstopped \\x1b[31moutside.\n"


def asked(question: Question) -> str:
    (message,) = question.messages
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    provider = Scripted(
        answers=lambda _: ANSWER, hears_s=60.0, honours=frozenset({"max_tokens", "seed"})
    )
    async with serving(tmp_path / "server", provider) as running:
        yield running


async def run(
    cli: CliRunner, server: Running, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    reached = ("--server", server.url, "--key", server.key, "-m", SCRIPTED)
    return await asyncio.to_thread(cli.run, *arguments, *reached)


def test_a_real_model_answers_and_one_that_was_cut_off_says_so(cli: CliRunner) -> None:
    done = cli.run("ask", SAMPLE, "What was said?", *MODEL, "--max-tokens", "1")
    assert done.returncode == 1
    assert done.stdout.endswith("\n")
    assert "the answer was cut off" in done.stderr
    assert "--max-tokens" in done.stderr


def test_a_terminal_shows_progress_and_then_the_words(cli: CliRunner) -> None:
    call = ("summarize", SAMPLE, *MODEL, "--max-tokens", "1")
    code, out, shown = cli.run_on_terminal(*call)
    assert code == 1
    assert "loading the model 0:00" in shown
    assert out.strip() not in shown.partition("the answer was cut off")[0]


async def test_a_servers_answer_is_printed_as_a_terminal_may_have_it(
    cli: CliRunner, server: Running
) -> None:
    done = await run(cli, server, "ask", SAMPLE, "Where did it stop?", "--seed", "7")
    assert (done.returncode, done.stdout, done.stderr) == (0, SHOWN, "")
    ((question, sounds),) = server.provider.questions
    assert asked(question) == "Where did it stop?"
    assert question.options.seed == 7
    assert len(sounds) == 1


async def test_several_recordings_have_their_names_above(cli: CliRunner, server: Running) -> None:
    for name in ("one.flac", "two.flac"):
        (cli.folder / name).write_bytes(SAMPLE.read_bytes())
    done = await run(cli, server, "summarize", "one.flac", "two.flac")
    assert done.returncode == 0
    assert done.stdout == f"==> one.flac <==\n{SHOWN}\n==> two.flac <==\n{SHOWN}"
    assert "2 recordings: 2 answered" in done.stderr
    assert asked(server.provider.questions[0][0]) == SUMMARY


async def test_an_answer_that_failed_or_was_cut_off_is_an_error(
    cli: CliRunner, server: Running
) -> None:
    cut = await run(cli, server, "summarize", SAMPLE, "--max-tokens", "1")
    assert (cut.returncode, cut.stdout) == (1, "A \n")
    assert "the answer was cut off" in cut.stderr

    def fail(_: Question) -> str:
        raise UsageError("It does not fit.", code="context_exceeded")

    server.provider.answers = fail
    failed = await run(cli, server, "summarize", SAMPLE)
    assert (failed.returncode, failed.stdout) == (1, "")
    (line,) = failed.stderr.splitlines()
    assert line.endswith("It does not fit.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ask", SAMPLE, " "), "The question is empty."),
        (("ask", SAMPLE, SAMPLE), "The last argument is the question"),
        (("ask", SAMPLE), "Missing argument"),
        (("summarize", SAMPLE), "does not answer questions"),  # the built-in model
    ],
)
def test_a_wrong_call_is_explained(
    cli: CliRunner, arguments: tuple[str | Path, ...], message: str
) -> None:
    done = cli.run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
