"""`voxgate eval`: word error rates of models on recordings with references."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs; typer reads annotations)
from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from voxgate.cli import signals, tables
from voxgate.cli.exit_codes import FAILED
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_error, print_message, write_output
from voxgate.cli.transcribe_options import (
    KeyOption,
    LanguageOption,
    RecursiveOption,
    ServerOption,
    check_key,
)
from voxgate.errors import OutputError, UsageError
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.cli.evaluation_run import Candidate
    from voxgate.cli.report_file import ReportFile
    from voxgate.evaluation.evaluation import Evaluation
    from voxgate.evaluation.pairs import Pairs
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options

Format: TypeAlias = Literal["table", "json", "html"]
LIBRARIES = ("jiwer", "whisper_normalizer")
MOST_NAMES = 5  # in one sentence


def eval_command(  # noqa: PLR0917 (typer calls it, by names)
    context: typer.Context,
    folder: Annotated[
        str,
        typer.Argument(
            metavar="FOLDER",
            help="Recordings with their references: a.txt beside a.flac, LibriSpeech's .trans.txt, "
            "or a .csv, .tsv or .jsonl with columns such as path and text.",
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            metavar="MODEL|FOLDER",
            help="Which model; repeat it to compare several.  [default: that of `voxgate "
            "transcribe`]",
        ),
    ] = None,
    report_format: Annotated[
        Format, typer.Option("-f", "--format", help="What is written to standard output.")
    ] = "table",
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write a report as well, report.html or report.json; may be repeated.",
        ),
    ] = None,
    language: LanguageOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="NUMBER",
            help="Only so many recordings, the first by name.  [default: all]",
        ),
    ] = None,
    recursive: RecursiveOption = True,
    server: ServerOption = None,
    key: KeyOption = None,
) -> None:
    """Measure the word error rates of models on your own recordings.

    Substituted, left out and inserted words, characters in place of words where a script has no
    spaces, speed and cost. The page shows every word beside its reference. How texts are compared
    is in docs/evaluation.md.
    """
    _check_libraries()
    from voxgate.cli.evaluation_run import EvaluationRun
    from voxgate.cli.report_file import ReportFile
    from voxgate.evaluation.evaluation import evaluate
    from voxgate.transcript.values import Options

    settings = apply_settings()
    check_key(context, server)
    options = Options(language=language)
    candidates = _choose_candidates(settings, options, model or [None], server, key)
    files = [ReportFile(each) for each in output or ()]
    pairs = _find_pairs(folder, recursive=recursive)
    recordings = pairs.recordings[:limit]
    for file in files:
        file.prepare(path for each in recordings for path in (each.path, each.reference.file))

    run = EvaluationRun(candidates, recordings, options)
    signals.run_until_signal(run.run(), run.print_interrupted)
    if not any(each.recognitions for each in run.runs):
        raise typer.Exit(FAILED)
    name = Path(folder).resolve().name or folder
    evaluation = evaluate(
        name, recordings, run.runs, language=options.language, left_out=pairs.left_out
    )
    _print_unknown_languages(evaluation)
    written = [_write(file, evaluation) for file in files]  # first: standard output may be closed
    if report_format == "table":
        _print_tables(evaluation)
    else:
        write_output(_report(evaluation, report_format))
    if pairs.faults or not run.complete or not all(written):
        raise typer.Exit(FAILED)


def _check_libraries() -> None:
    """Raise `UsageError` where a library of the extra is not installed."""
    from voxgate.installation import Installation

    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        command = Installation.find().install_extra("eval")
        raise UsageError(f"`voxgate eval` needs {', '.join(missing)}: `{command}`.")


def _choose_candidates(
    settings: Settings,
    options: Options,
    models: Sequence[str | None],
    server: str | None,
    key: str | None,
) -> list[Candidate]:
    """Return the models to compare. Raises what their backends raise."""
    from voxgate.cli.backend import LocalBackend, ServerBackend
    from voxgate.cli.evaluation_run import Candidate
    from voxgate.models.available import AvailableModels
    from voxgate.prices import NO_PRICES

    candidates = list[Candidate]()
    # What a server charges is its operator's to say.
    prices = AvailableModels(settings).prices() if server is None else NO_PRICES
    for model in models:
        if server is None:
            local = LocalBackend(settings, model, options, times=False)
            now = datetime.now(UTC)
            found = {prices.find(local.model, now, place) for place in local.places}
            price = found.pop() if len(found) == 1 else None  # of several nobody knows whose it is
            candidates.append(Candidate(local, price, starts=LOCAL in local.places))
        else:
            remote = ServerBackend(settings, server, key, model, None)
            candidates.append(Candidate(remote, None, starts=False))
    names = [each.backend.model for each in candidates]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{twice} is named twice. Name each model once.")
    return candidates


def _find_pairs(folder: str, *, recursive: bool) -> Pairs:
    """Return the folder's recordings with references; print what is wrong with others.

    Raises `UsageError` where there is nothing to score.
    """
    from voxgate.cli.inputs import collect_inputs
    from voxgate.evaluation.pairs import find_pairs

    root = Path(folder)
    if not os.path.isdir(root):  # noqa: PTH112 (a name may be too long)
        raise UsageError(
            f"{folder} is no folder. Name one with recordings and their references."
            if os.path.lexists(root)
            else f"There is no folder at {folder}. Check the path."
        )
    found, errors, unread = collect_inputs([folder], headerless=False, recursive=recursive)
    if errors and not found:
        raise errors[0]
    for error in errors:
        print_error(error)
    for sentence in unread:
        print_message(sentence)
    pairs = find_pairs(root, [each.source for each in found if isinstance(each.source, Path)])
    for fault in pairs.faults:
        print_error(fault)
    if not pairs.recordings:
        raise UsageError(
            f"None of the recordings in {folder} has a reference. Write what is said in "
            f"{pairs.left_out[0]} into {Path(pairs.left_out[0]).with_suffix('.txt')} beside it, "
            f"and so on."
        )
    if pairs.left_out:
        print_message(f"without a reference, left out: {_listed(pairs.left_out)}.")
    return pairs


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _print_unknown_languages(evaluation: Evaluation) -> None:
    if unknown := evaluation.of_unknown_language:
        print_message(
            f"no model said which language is spoken in {_listed(unknown)}: the normaliser for "
            f"other languages than English was used. --language names it."
        )


def _print_tables(evaluation: Evaluation) -> None:
    """Print the models; for people also the recordings with the most errors."""
    from voxgate.evaluation.report.table import model_table, worst_table

    tables.print_table(*model_table(evaluation))
    headings, rows = worst_table(evaluation)
    if tables.are_drawn() and rows and len(evaluation.recordings) > 1:
        tables.print_table(headings, rows)


def _write(file: ReportFile, evaluation: Evaluation) -> bool:
    """Write a report, and return whether that was possible; the error is printed."""
    try:
        file.write(_report(evaluation, file.format))
    except OutputError as error:
        print_error(error)
        return False
    return True


def _report(evaluation: Evaluation, report_format: str) -> str:
    from voxgate.evaluation.report.page import evaluation_page
    from voxgate.evaluation.report.record import evaluation_record
    from voxgate.transcript.formats.json import dumps

    if report_format == "html":
        return evaluation_page(evaluation, datetime.now(UTC))
    return dumps(evaluation_record(evaluation))
