"""`voxgate ask` and `voxgate summarize`: what a model says about recordings."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs; typer reads annotations)
from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.answer_options import (  # noqa: TC001 (typer evaluates them)
    AnsweringModelOption,
    AnswerServerOption,
    AnswerTemperatureOption,
    AnswerTokensOption,
)
from voxgate.cli.settings import apply_settings
from voxgate.cli.transcribe_options import (
    KeyOption,
    RecordingsArgument,
    RecursiveOption,
    SeedOption,
    check_key,
)
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.values import Options


def ask_command(  # noqa: PLR0917 (typer calls it, by names)
    context: typer.Context,
    recordings: RecordingsArgument,
    question: Annotated[
        str, typer.Argument(metavar="QUESTION", help="What is asked about each recording.")
    ],
    model: AnsweringModelOption = None,
    recursive: RecursiveOption = True,
    temperature: AnswerTemperatureOption = 0.0,
    seed: SeedOption = None,
    max_tokens: AnswerTokensOption = None,
    server: AnswerServerOption = None,
    key: KeyOption = None,
) -> None:
    """Ask a question about recordings, each by itself.

    The answer is printed while the model writes it. Several recordings have their names above
    their answers. The model must be able to answer, as a Voxtral is.
    """
    if not question.strip():
        raise UsageError("The question is empty. Type it after the recordings, in quotes.")
    if os.path.lexists(question):
        raise UsageError(
            f"The last argument is the question, and '{question}' is a file. Type the question "
            f"after the recordings, in quotes."
        )
    options = _options(temperature, seed, max_tokens)
    check_key(context, server)
    _answer(recordings, question, options, model, server, key, recursive=recursive)


def summarize_command(  # noqa: PLR0917 (typer calls it, by names)
    context: typer.Context,
    recordings: RecordingsArgument,
    model: AnsweringModelOption = None,
    recursive: RecursiveOption = True,
    temperature: AnswerTemperatureOption = 0.0,
    seed: SeedOption = None,
    max_tokens: AnswerTokensOption = None,
    server: AnswerServerOption = None,
    key: KeyOption = None,
) -> None:
    """Summarize recordings, each by itself, in the language that is spoken.

    The summary is printed while the model writes it. Several recordings have their names above
    their summaries. The model must be able to answer, as a Voxtral is.
    """
    from voxgate.answers.instructions import SUMMARY

    options = _options(temperature, seed, max_tokens)
    check_key(context, server)
    _answer(recordings, SUMMARY, options, model, server, key, recursive=recursive)


def _options(temperature: float, seed: int | None, max_tokens: int | None) -> Options:
    from voxgate.transcript.values import Options

    return Options(temperature=temperature, seed=seed, max_tokens=max_tokens)


def _answer(  # noqa: PLR0917 (one for each option)
    recordings: Sequence[str],
    question: str,
    options: Options,
    model: str | None,
    server: str | None,
    key: str | None,
    *,
    recursive: bool,
) -> None:
    """Answer a question about each recording."""
    from voxgate.cli.answer_backend import LocalAnswers, ServerAnswers
    from voxgate.cli.answer_work import AnswerWork
    from voxgate.cli.batch import run_batch
    from voxgate.cli.inputs import collect_inputs

    settings = apply_settings()
    backend = (
        LocalAnswers(settings, model)
        if server is None
        else ServerAnswers(settings, server, key, model)
    )
    inputs = collect_inputs(recordings, headerless=False, recursive=recursive)
    several = len(inputs.recordings) > 1
    run_batch(AnswerWork(backend, question, options, several=several), inputs, settings)
