"""Where each name and each element of a TOML text is: `tomllib` tells no lines.

`tomllib` has accepted the text before, so nothing is checked here: it is enough to tell strings,
comments, brackets and separators from each other.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import NamedTuple, TypeAlias

TomlPath: TypeAlias = tuple[str | int, ...]
"""Names of tables and values, and indices in arrays: `("keys", 0, "allowed_models", 1)`."""

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?""""{0,2}'  # up to two quotes may stand before the closing three
    r"|'''.*?''''{0,2}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[^\s.=\]]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")  # a time may contain a space


class Position(NamedTuple):
    """A place in a text, both counted from 1, in characters."""

    line: int
    column: int


def find_positions(text: str) -> dict[TomlPath, Position]:
    """Return where each name, table and element begins in a text that `tomllib` accepts.

    A name that several lines share, as `a` of `a.b` and `a.c`, is where it is first.
    """
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.scan()
    return scanner.found


class _Scanner:
    """Reads a text from its beginning to its end. `_at` is where it has come to."""

    def __init__(self, text: str) -> None:
        self.found: dict[TomlPath, Position] = {}
        self._text, self._at = text, 0
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._lengths: dict[TomlPath, int] = {}  # of arrays of tables, so far

    def scan(self) -> None:
        table: TomlPath = ()
        while self._skip(_BLANK):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> TomlPath:
        """Read `[a.b]` or `[[a.b]]`, and return the path of the table that it begins."""
        start, brackets = self._at, 2 if self._text.startswith("[[", self._at) else 1
        self._at += brackets
        *above, (last, _) = self._dotted_key()
        self._at += brackets
        path: TomlPath = ()
        for name, at in above:
            path = self._newest((*path, name), at)
        path = (*path, last)
        if brackets == 2:
            self._lengths[path] = self._lengths.get(path, 0) + 1
            self._note(path, start)
        return self._newest(path, start)

    def _newest(self, path: TomlPath, at: int) -> TomlPath:
        """Note a table; where it is an array of tables, return the path of its last one."""
        self._note(path, at)
        if path in self._lengths:
            path = (*path, self._lengths[path] - 1)
            self._note(path, at)
        return path

    def _pair(self, table: TomlPath) -> None:
        path = table
        for name, at in self._dotted_key():
            path = (*path, name)
            self._note(path, at)
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: TomlPath) -> None:
        if self._text[self._at] == "[":
            self._enclosed("]", path, elements=True)
        elif self._text[self._at] == "{":
            self._enclosed("}", path, elements=False)
        elif not self._read(_STRING):
            self._read(_BARE_VALUE)

    def _enclosed(self, end: str, path: TomlPath, *, elements: bool) -> None:
        """Read the elements of an array, or the pairs of an inline table."""
        self._at += 1
        index = 0
        while self._skip(_BLANK) and self._text[self._at] != end:
            if elements:
                self._note((*path, index), self._at)
                self._value((*path, index))
            else:
                self._pair(path)
            index += 1
            self._skip(_BLANK)
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1

    def _dotted_key(self) -> list[tuple[str, int]]:
        """Read `a."b c".d` and the space after it. Return each name, and where it begins."""
        names: list[tuple[str, int]] = []
        while not names or self._text[self._at] == ".":
            self._at += bool(names)
            self._skip(_SPACE)
            start = self._at
            quoted = self._read(_STRING)
            name = next(iter(tomllib.loads(f"{quoted} = 0"))) if quoted else self._read(_BARE_KEY)
            names.append((name, start))
            self._skip(_SPACE)
        return names

    def _note(self, path: TomlPath, at: int) -> None:
        line = bisect_right(self._line_starts, at)
        self.found.setdefault(path, Position(line, at - self._line_starts[line - 1] + 1))

    def _skip(self, blank: re.Pattern[str]) -> bool:
        """Pass what is blank. Return whether anything follows."""
        self._read(blank)
        return self._at < len(self._text)

    def _read(self, pattern: re.Pattern[str]) -> str:
        """Pass what matches here, and return it: "" where nothing does."""
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]
