"""`CommandGroup`: a group of commands whose help cuts no sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

UNCUT = 1000  # characters: longer than the first sentence of any command


class CommandGroup(TyperGroup):
    """A group that lists its commands with whole sentences, on as many lines as they take."""

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands."""
        visible = [command for command in self.commands.values() if not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(command.name or "", command.get_short_help_str(UNCUT)) for command in visible]
            )
