"""`voxgate models pull`, `export` and `import`: models that come and go, with a bar meanwhile."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from voxgate.cli import signals
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import has_terminal, printable, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.models.store.progress import StoreProgress
    from voxgate.models.store.record import ModelRecord

HUB = "https://huggingface.co"  # where HF_ENDPOINT names no other


def pull_command(
    repository: Annotated[
        str,
        typer.Argument(
            metavar="REPO", help="OWNER/NAME on the hub, or an alias of Voxtral Mini or Small."
        ),
    ],
    revision: Annotated[
        str | None,
        typer.Option(metavar="R", help="A branch, a tag or a commit; else the newest."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="T",
            envvar="HF_TOKEN",
            help="Yours on the hub, for gated and private models. Rather set the variable: "
            "everybody on this machine can see arguments (ps).",
        ),
    ] = None,
) -> None:
    """Get a model from the hub (huggingface.co, or HF_ENDPOINT).

    One layout of its weights is fetched, checked against the hub's hashes, and recorded with its
    commit. A pull that was interrupted goes on where it was when it is called again.
    """
    from voxgate.models.store import pull as pulling
    from voxgate.models.store.registry import Registry
    from voxgate.offline import is_local, refusal

    settings = apply_settings()
    if settings.offline and not is_local(urlsplit(os.environ.get("HF_ENDPOINT") or HUB).hostname):
        raise refusal(
            f"{repository} would be fetched from the hub",
            "`voxgate models export` on a machine with a network and `voxgate models import FILE` "
            "here do without it.",
        )
    registry = Registry.open(settings)
    with signals.unwind("What was fetched is kept: pull again."), _watching() as watch:
        record = pulling.pull_model(registry, repository, revision, token, watch)
    say_installed("installed", record)


def export_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An installed model, or an alias.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="It is replaced if it is there.")],
) -> None:
    """Write a model into one file, a tar, for a machine without a network."""
    from voxgate.models.store import archive
    from voxgate.models.store.registry import Registry

    record = Registry.open(apply_settings()).find(name)
    with signals.unwind("Nothing was written."), _watching() as watch:
        archive.export_model(record, file, watch)
    say(f"exported {record.name} at {record.revision} to {file}.")


def import_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `voxgate models export` has written.")
    ],
) -> None:
    """Install the model in a file that another machine has exported. Its hashes are checked."""
    from voxgate.models.store import archive
    from voxgate.models.store.registry import Registry

    registry = Registry.open(apply_settings())
    with signals.unwind("Nothing was installed."), _watching() as watch:
        record = archive.import_model(registry, file, watch)
    say_installed("imported", record)


def say_installed(how: str, record: ModelRecord) -> None:
    """What is there now, and what it will take."""
    from voxgate.hardware.memory import format_bytes as amount

    say(
        f"{how} {record.name} at {record.revision}: {amount(record.nbytes)} in {record.folder}; "
        f"loaded as it is stored, {amount(record.memory_bytes)} of memory; about half as balanced."
    )


@contextmanager
def _watching() -> Iterator[StoreProgress]:
    """Shows bytes on a terminal; elsewhere only sentences."""
    from voxgate.models.store.progress import StoreProgress

    if not has_terminal():
        yield StoreProgress(on_message=say)
        return

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
    from rich.table import Column

    with Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=24),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("asking the hub", total=None)

        def moved(file: str, done: int, total: int) -> None:
            progress.update(task, description=printable(file), completed=done, total=total)

        yield StoreProgress(
            on_message=lambda line: progress.console.print(
                f"voxgate: {printable(line)}", markup=False, highlight=False, soft_wrap=True
            ),
            on_bytes=moved,
        )
