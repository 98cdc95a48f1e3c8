"""One line of progress on a terminal, gone when the recording is done."""

# ruff: noqa: PLC0415 (rich is imported where somebody watches)

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from voxgate.cli.streams import has_terminal, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from voxgate.cli.pace import Pace
    from voxgate.pipeline.run import Standing


@contextmanager
def watching(name: str, pace: Pace) -> Iterator[Callable[[Standing], None]]:
    """Gives what is to be told of every `Standing`; shows it where somebody watches."""
    if not has_terminal():
        yield lambda standing: pace.heard(standing.done_s)
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    with Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[line]}", markup=False, table_column=Column(no_wrap=True)),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(shown(name), total=None, line="starting")

        def heard(standing: Standing) -> None:
            pace.heard(standing.done_s)
            progress.update(
                task,
                completed=standing.done_s,
                total=standing.total_s,
                line=pace.line(standing),
            )

        yield heard
