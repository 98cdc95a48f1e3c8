"""`check_names`: the query of an address has the names that its route knows, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request


def check_names(request: Request, known: Collection[str], remark: str = "") -> None:
    """Raise `UsageError` for another name, and for one that is there twice.

    A list without its filter would mislead, and so would one with either of two. `remark` says
    what else is to be known, as half a sentence.
    """
    names = [name for name, _ in request.query_params.multi_items()]
    if others := set(names) - set(known):
        there = f"There are {', '.join(sorted(known))}" if known else "It has none"
        raise UsageError(
            f"'{min(others)[:100]}' is no filter here: leave it out. {there}{remark and '; '}"
            f"{remark}."
        )
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"'{twice}' is in the address more than once. Give it once.")
