"""Every name and element of any text that `tomllib` accepts is found where it is."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.configuration.positions import Position, find_positions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.configuration.positions import TomlPath

TEXTS = (
    "",
    "a = 1",
    "# no comment",
    "]]",
    "}",
    "a, b",
    '"',
    "'",
    "ä",
    "\\",
    "'''",
    '""',
    "\n[a]\n",
)
SCALARS = ("1", "-1.5e3", "inf", "true", "1_000", "0xff", "2027-01-01", "2027-01-01 12:00:00.5Z")
BLANK = ("", " ", "\t", " # ] = } ' \" [x]\n ", "\n\n")


class Document:
    """A TOML text while it is written, and where each path in it is."""

    def __init__(self, data: st.DataObject) -> None:
        self.text = ""
        self.expected: dict[TomlPath, Position] = {}
        self._draw = data.draw
        self._names = 0

    def choose(self, *options: Any) -> Any:
        return self._draw(st.sampled_from(options))

    def mark(self, path: TomlPath) -> None:
        before = self.text.rpartition("\n")[2]
        self.expected.setdefault(path, Position(self.text.count("\n") + 1, len(before) + 1))

    def new_name(self) -> str:
        self._names += 1
        form: str = self.choose("n{}", "n-{}_", 'n.{}]"=', "n{} # '", "ä{}")
        return form.format(self._names)

    def key(self, name: str) -> None:
        bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        forms = [json.dumps(name, ensure_ascii=False)]
        forms += [name] if bare else []
        forms += [] if "'" in name else [f"'{name}'"]
        self.text += self.choose(*forms)

    def names(self, path: TomlPath, *names: str) -> TomlPath:
        for index, name in enumerate(names):
            self.text += self.choose(".", " . ", ".\t") if index else ""
            path = (*path, name)
            self.mark(path)
            self.key(name)
        return path

    def pair(self, path: TomlPath, depth: int) -> None:
        names = [self.new_name() for _ in range(self.choose(1, 1, 2, 3))]
        path = self.names(path, *names)
        self.text += self.choose("=", " = ", "\t=  ")
        self.value(path, depth)

    def value(self, path: TomlPath, depth: int) -> None:
        kind = self.choose("scalar", "string", *(("array", "inline") if depth else ()))
        if kind == "scalar":
            self.text += self.choose(*SCALARS)
        elif kind == "string":
            self.text += self.string(self.choose(*TEXTS))
        elif kind == "array":
            self.text += "["
            for index in range(length := self.choose(0, 1, 3)):
                self.text += self.choose(*BLANK)
                self.mark((*path, index))
                self.value((*path, index), depth - 1)
                last = index == length - 1
                self.text += self.choose(*BLANK) + (self.choose("", ",") if last else ",")
            self.text += self.choose(*BLANK) + "]"
        else:
            self.text += "{"
            for index in range(self.choose(0, 1, 2)):
                self.text += ", " if index else self.choose("", " ")
                self.pair(path, depth - 1)
            self.text += "}"

    def string(self, value: str) -> str:
        basic = json.dumps(value, ensure_ascii=False)
        forms = [basic, '"""' + self.choose("", "\n", '\\\n  "') + basic[1:-1] + '"""']
        if "'" not in value:
            forms += [f"'''\n{value}'''", f"'''{value}''''"]
            forms += [] if "\n" in value else [f"'{value}'"]
        return str(self.choose(*forms))

    def end_line(self) -> None:
        self.text += self.choose("\n", " # comment = [1\n", "\n\n  ", "\n# [c]\n")

    def pairs(self, path: TomlPath) -> None:
        for _ in range(self.choose(0, 1, 3)):
            self.pair(path, 2)
            self.end_line()

    def tables(self, above: tuple[str, ...], path: TomlPath, depth: int) -> None:
        for _ in range(self.choose(1, 2)):
            name, is_array = self.new_name(), self.choose(False, True)
            for index in range(self.choose(1, 2) if is_array else 1):
                place = (*path, name, index) if is_array else (*path, name)
                if is_array:
                    self.mark((*path, name))
                    self.mark(place)
                self.text += "[[" if is_array else "["
                started = len(self.text) - (2 if is_array else 1)
                self.header((*above, name))
                if not is_array:
                    self.expected[place] = self.at(started)
                self.text += "]]" if is_array else "]"
                self.end_line()
                self.pairs(place)
                if depth:
                    self.tables((*above, name), place, depth - 1)

    def header(self, names: tuple[str, ...]) -> None:
        for index, name in enumerate(names):
            self.text += self.choose(".", " . ") if index else self.choose("", " ")
            self.key(name)
        self.text += self.choose("", " ")

    def at(self, index: int) -> Position:
        before = self.text[:index]
        return Position(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)


def paths(value: Any, path: TomlPath = ()) -> Iterator[TomlPath]:
    """Every path below a value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in pairs:
        yield (*path, name)
        if isinstance(part, (dict, list)):
            yield from paths(part, (*path, name))


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_each_path_of_any_text_is_where_it_was_written(data: st.DataObject) -> None:
    document = Document(data)
    document.pairs(())
    if data.draw(st.booleans()):
        document.tables((), (), 1)
    text = document.text
    found = find_positions(text)
    assert found == document.expected, text
    assert set(found) == set(paths(tomllib.loads(text))), text
    assert find_positions(text.replace("\n", "\r\n")) == found


@pytest.mark.parametrize(
    ("text", "path", "line", "column"),
    [
        ("a = 1\n", ("a",), 1, 1),
        ("\n  a.b = 1\na.c = 2\n", ("a",), 2, 3),
        ("\n  a.b = 1\na.c = 2\n", ("a", "c"), 3, 3),
        ("[a.b]\nc = 1\n", ("a",), 1, 2),
        ("[a.b]\nc = 1\n[a]\nd = 2\n", ("a",), 1, 2),
        ("[a.b]\nc = 1\n[a]\nd = 2\n", ("a", "d"), 4, 1),
        ("[[a]]\nb = 1\n[[a]]\nb = 2\n", ("a",), 1, 1),
        ("[[a]]\nb = 1\n[[a]]\nb = 2\n", ("a", 1), 3, 1),
        ("[[a]]\n[a.b]\nc = 1\n[[a]]\n[a.b]\nc = 2", ("a", 1, "b", "c"), 6, 1),
        ("[[a.b]]\n[[a.b.c]]\nd = [\n1,\n 2]", ("a", "b", 0, "c", 0, "d", 1), 5, 2),
        ("a = [{b = 1}, {b = 2}]", ("a", 1, "b"), 1, 16),
        ('a = """"""\nb = 1', ("b",), 2, 1),
        ('a = """\\""""""\nb = 1', ("b",), 2, 1),
        ("a = '''\n'''''\nb = 1", ("b",), 3, 1),
        ("a = 1979-05-27 07:32:00\nb = 1", ("b",), 2, 1),
    ],
)
def test_where_a_path_is(text: str, path: TomlPath, line: int, column: int) -> None:
    tomllib.loads(text)
    assert find_positions(text)[path] == (line, column)
