"""`voxgate models pull`, `export` and `import`, with a progress bar."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli import signals
from voxgate.cli.byte_bar import byte_bar
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import has_terminal, print_message
from voxgate.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.models.store.progress import StoreProgress
    from voxgate.models.store.record import ModelRecord


def pull_command(
    repository: Annotated[
        str,
        typer.Argument(
            metavar="REPO", help="OWNER/NAME on the hub, or an alias of a Voxtral or Whisper."
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
            help="Your token on the hub, for gated and private models. Rather set the variable: "
            "everybody on this machine can see arguments (ps).",
        ),
    ] = None,
) -> None:
    """Get a model from the hub (huggingface.co, or HF_ENDPOINT).

    One layout of its weights is fetched, checked against the hub's hashes, and recorded with its
    commit. An interrupted pull is resumed by the next call.
    """
    from voxgate.models.store import pull as pulling
    from voxgate.models.store.registry import Registry

    settings = apply_settings()
    pulling.check_network(settings, repository)
    registry = Registry.open(settings)
    with (
        signals.unwind_on_signal("What was fetched is kept: pull again."),
        _progress_bar() as progress,
    ):
        record = pulling.pull_model(registry, repository, revision, token, progress)
    print_installed("installed", record)


def export_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An installed model, or an alias.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="It is replaced if it exists.")],
) -> None:
    """Write a model into one file, a tar, for a machine without a network."""
    from voxgate.models.available import find_or_install
    from voxgate.models.store import archive

    record = find_or_install(name, apply_settings())
    with signals.unwind_on_signal("Nothing was written."), _progress_bar() as progress:
        archive.export_model(record, file, progress)
    print_message(f"exported {record.name} at {record.revision} to {file}.")


def import_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A file of `voxgate models export`.")
    ],
) -> None:
    """Install the model in a file that another machine has exported. Its hashes are checked."""
    from voxgate.models.store import archive
    from voxgate.models.store.registry import Registry

    registry = Registry.open(apply_settings())
    with signals.unwind_on_signal("Nothing was installed."), _progress_bar() as progress:
        record = archive.import_model(registry, file, progress)
    print_installed("imported", record)


def print_installed(verb: str, record: ModelRecord) -> None:
    """Print what was installed, the memory that it will take, and whether it is the default."""
    from voxgate.hardware.memory import format_bytes
    from voxgate.models.available import AvailableModels

    weights = format_bytes(record.memory_bytes)
    memory = f"loaded as it is stored, {weights} of memory; about half as balanced."
    if record.layout == "ctranslate2":
        memory = f"its weights take {weights}, and half of that in memory."
    print_message(
        f"{verb} {record.name} at {record.revision}: {format_bytes(record.nbytes)} in "
        f"{record.folder}; {memory}"
    )
    if AvailableModels(apply_settings()).default() == record.name:
        print_message(f"{record.name} is used where no model is named.")


@contextmanager
def _progress_bar() -> Iterator[StoreProgress]:
    """Yield callbacks that draw a bar on a terminal, and only print sentences elsewhere."""
    from voxgate.models.store.progress import StoreProgress

    if not has_terminal():
        yield StoreProgress(on_message=print_message)
        return

    with byte_bar() as bar:
        task = bar.add_task("asking the hub", total=None)

        def on_bytes(file: str, done: int, total: int) -> None:
            bar.update(task, description=printable(file), completed=done, total=total)

        yield StoreProgress(
            on_message=lambda line: bar.console.print(
                f"voxgate: {printable(line)}", markup=False, highlight=False, soft_wrap=True
            ),
            on_bytes=on_bytes,
        )
