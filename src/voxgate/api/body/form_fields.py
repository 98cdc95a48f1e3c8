"""Form fields to nested values, as OpenAI's and Mistral's clients write them. Pure functions.

`a` and `a` again, or `a[]`, is a list; `a[b][c]` is an object in an object. Values stay what they
are, mostly text: what they should be is known to whoever reads the fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_FIELD_DEPTH = 8  # names within a name
MAX_FIELDS = 1000  # of one form

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_INNER = re.compile(r"\[([^\[\]]*)\]")


@dataclass(slots=True)
class _Values:
    """What came under one name, and whether the name says that it is a list."""

    values: list[Any] = field(default_factory=list)
    is_list: bool = False

    def value(self) -> Any:
        return self.values if self.is_list or len(self.values) > 1 else self.values[0]


_Tree: TypeAlias = "dict[str, _Tree | _Values]"


def nest_fields(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """The fields as one object.

    Raises `UsageError` for a name that is not understood, for one that is both a value and an
    object, and for more than 1000 fields.
    """
    tree: _Tree = {}
    for count, (name, value) in enumerate(pairs, start=1):
        if count > MAX_FIELDS:
            raise too_many_fields()
        _insert(tree, name, value)
    return _plain(tree)


def field_path(name: str) -> list[str]:
    """`a[b][]` as `["a", "b", ""]`. Raises `UsageError`."""
    match = _NAME.fullmatch(name)
    keys = [match[1], *_INNER.findall(match[2])] if match else []
    if not keys or "" in keys[:-1]:
        raise UsageError(
            f"The field name {quote_field(name)} is not understood. Write a, a[] for a list, or "
            f"a[b] for "
            f"an object."
        )
    if len(keys) > MAX_FIELD_DEPTH:
        raise UsageError(
            f"The field name {quote_field(name)} nests deeper than {MAX_FIELD_DEPTH}. Send a "
            f"flatter form."
        )
    return keys


def quote_field(name: str) -> str:
    """A caller's name as it may stand in a sentence: short, and without control characters."""
    return repr(name if len(name) <= 60 else name[:57] + "...")


def too_many_fields() -> UsageError:
    """The one sentence for more than `MAX_FIELDS`."""
    return UsageError(f"The form has more than {MAX_FIELDS} fields. Send fewer.")


def _insert(tree: _Tree, name: str, value: Any) -> None:
    keys = field_path(name)
    is_list = keys[-1] == ""
    *objects, last = keys[:-1] if is_list else keys
    for key in objects:
        inner = tree.setdefault(key, {})
        if isinstance(inner, _Values):
            raise _both(name)
        tree = inner
    leaf = tree.setdefault(last, _Values())
    if not isinstance(leaf, _Values):
        raise _both(name)
    leaf.values.append(value)
    leaf.is_list |= is_list


def _both(name: str) -> UsageError:
    return UsageError(
        f"The field {quote_field(name)} contradicts another one: the same name is a value here "
        f"and an "
        f"object there. Send one of them."
    )


def _plain(tree: _Tree) -> dict[str, Any]:
    return {
        key: inner.value() if isinstance(inner, _Values) else _plain(inner)
        for key, inner in tree.items()
    }
