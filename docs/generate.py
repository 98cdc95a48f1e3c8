"""Write the generated pages anew: `python -m docs.generate`.

`cli.md` is the help of every command, as the commands give it at 80 columns.
"""

from __future__ import annotations

from pathlib import Path

import typer

from voxgate.cli import app

CLI = Path(__file__).parent / "cli.md"
HEAD = """\
# The command line

Written by `make docs` from the commands themselves. `python -m voxgate` is the same program.
"""


def cli_page() -> str:
    """The page on the command line: `voxgate`, then its commands in the order of its help."""
    root = typer.main.get_command(app)
    top = typer.Context(root, info_name="voxgate", terminal_width=80, **root.context_settings)
    return HEAD + "".join(map(_section, _with_those_below(top)))


def _with_those_below(context: typer.Context) -> list[typer.Context]:
    """A command, then the commands of the group that it is, and theirs."""
    commands = getattr(context.command, "commands", {}).items()
    below = [typer.Context(command, info_name=name, parent=context) for name, command in commands]
    return [context, *(each for group in below for each in _with_those_below(group))]


def _section(context: typer.Context) -> str:
    return f"\n## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"


if __name__ == "__main__":
    CLI.write_text(cli_page(), encoding="utf-8")
