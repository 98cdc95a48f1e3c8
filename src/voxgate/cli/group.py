"""`CommandGroup`: a group of commands with plain words in its help and its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer import BadParameter
from typer.core import TyperGroup

from voxgate.validation import plain_reason

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

UNCUT = 1000  # characters: longer than the first sentence of any command


class CommandGroup(TyperGroup):
    """A group that lists its commands with whole sentences, on as many lines as they take."""

    def invoke(self, ctx: Context) -> Any:
        """Run a command. What is wrong with an option is said in plain words."""
        try:
            return super().invoke(ctx)
        except BadParameter as error:
            error.message = plain_reason(error.message)
            raise

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands."""
        visible = [command for command in self.commands.values() if not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(command.name or "", command.get_short_help_str(UNCUT)) for command in visible]
            )
