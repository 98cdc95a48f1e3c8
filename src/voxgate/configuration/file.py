"""`ConfigFile`: the configuration file, `voxgate.toml`, and where in it each value is."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_data_path

from voxgate.configuration.names import ENVIRONMENT_PREFIX, FILE_VARIABLE
from voxgate.configuration.positions import find_positions
from voxgate.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from voxgate.configuration.positions import Position, TomlPath

DEFAULT_HOME = user_data_path("voxgate")
FILE_NAME = "voxgate.toml"
OLD_NAME = "config.toml"
"""What the file was called before it was released."""

_PLACE = re.compile(r" \(at line (?P<line>\d+), column (?P<column>\d+)\)$")
_REASONS = {
    "Cannot overwrite a value": "This name has a value above",
    "Cannot mutate immutable namespace": "This table is complete above",
}
"""What `tomllib` says in the words of its own code."""


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What is in the file, before anybody knows what it means. Its floats are `Decimal`s: exact."""

    path: Path
    exists: bool = False
    table: Mapping[str, Any] = field(default_factory=dict)
    positions: Mapping[TomlPath, Position] = field(default_factory=dict)
    faults: tuple[SettingsError, ...] = ()
    """Why nothing can be read, or what else lies there that nothing reads."""

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> ConfigFile:
        """Return the file that `VOXGATE_CONFIG` names, else that of `VOXGATE_HOME`.

        Where the variable names none, there need be no file.
        """
        home = Path(environ.get(f"{ENVIRONMENT_PREFIX}HOME") or DEFAULT_HOME).expanduser()
        named = environ.get(FILE_VARIABLE)
        path = Path(named).expanduser() if named else home / FILE_NAME
        old = _old_file(home / OLD_NAME, path)
        if not named and _is_missing(path):
            return cls(path, faults=old)
        return cls.read(path, named_by=FILE_VARIABLE if named else "", faults=old)

    @classmethod
    def read(
        cls, path: Path, *, named_by: str = "", faults: tuple[SettingsError, ...] = ()
    ) -> ConfigFile:
        """Return the file at a path. `named_by` is what names it, for the sentence if it fails."""
        try:
            text = path.read_text(encoding="utf-8-sig")
            table = tomllib.loads(text, parse_float=Decimal)
            return cls(
                path, exists=True, table=table, positions=find_positions(text), faults=faults
            )
        except FileNotFoundError:
            by = f", which {named_by} names" if named_by else ""
            fault = SettingsError(f"There is no file {path}{by}. Correct the name, or create it.")
        except OSError as error:
            by = f", which {named_by} names," if named_by else ""
            fault = SettingsError(
                f"The configuration file {path}{by} cannot be read: {error.strerror}. Name a file "
                f"that this user may read."
            )
        except RecursionError:
            fault = SettingsError(f"{path} is nested too deeply. Write it without nesting.")
        except ValueError as error:
            fault = SettingsError(_syntax(path, error))
        return cls(path, exists=True, faults=(*faults, fault))

    def in_order(self, faults: Iterable[SettingsError]) -> list[SettingsError]:
        """Return what is wrong by its place: of the whole file, its lines, then all else."""
        return sorted(faults, key=self._rank)

    def _rank(self, fault: SettingsError) -> tuple[int, int, int]:
        if fault in self.faults:
            return 0, 0, 0
        match = re.match(rf"{re.escape(str(self.path))}:(\d+):(\d+)", fault.sentence)
        return (1, int(match[1]), int(match[2])) if match else (2, 0, 0)

    def place(self, *path: str | int) -> str:
        """Return where a value is, as `FILE:LINE:COLUMN`; else where what contains it is."""
        while path and path not in self.positions:
            path = path[:-1]
        position = self.positions.get(path)
        return f"{self.path}:{position.line}:{position.column}" if position else str(self.path)


def _is_missing(path: Path) -> bool:
    """Return whether there is nothing; a path that cannot be looked at is read, and reported."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _old_file(old: Path, path: Path) -> tuple[SettingsError, ...]:
    if _is_missing(old) or old == path:
        return ()
    if path == old.with_name(FILE_NAME) and _is_missing(path):
        advice = f"Rename it to {FILE_NAME}"
    else:
        advice = f"The file that is read is {path}: move what is missing there, and delete this one"
    return (
        SettingsError(f"{old} is not read any more, so its settings have no effect. {advice}."),
    )


def _syntax(path: Path, error: ValueError) -> str:
    """Return the sentence for a text that is not TOML."""
    if isinstance(error, UnicodeDecodeError):
        return f"{path} is not UTF-8: byte {error.start + 1} is wrong. Save it as UTF-8."
    reason, place = str(error), ""
    if match := _PLACE.search(reason):
        reason, place = reason[: match.start()], f":{match['line']}:{match['column']}"
    reason = _REASONS.get(reason, reason)
    return f"{path}{place}: this is not TOML: {reason}. Correct the line, or put a text in quotes."
