"""`Given`: which settings the environment and the file give, where, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxgate.configuration.names import (
    ENVIRONMENT_PREFIX,
    FILE_ONLY,
    file_only,
    is_foreign,
    misplaced,
    unknown_name,
    unknown_variable,
)
from voxgate.configuration.values import CHOICES, LISTS, parse_value
from voxgate.errors import SettingsError
from voxgate.validation import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from voxgate.configuration.file import ConfigFile

OTHER_TABLES = ("keys",)
"""Names in the file that are no settings: those who need them read them."""

TABLES_OF = {"providers": "endpoints"}
"""Names in the file that are a part of a setting of another name."""

_TYPES: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, Decimal), "a number"),
    str: ((str,), "a text in quotes"),
    Path: ((str,), "a text in quotes"),
}
"""What may stand in the file for a setting of each type, and how a sentence calls it."""

_LIST_EXAMPLES = {
    "cors_origins": '["https://example.org"]',
    "page_secret": '["..."], with what `openssl rand -base64 32` prints',
    "transcript_key": '["..."], with what `openssl rand -base64 32` prints',
    "url_allow": '["public", "nas.lan"]',
}


@dataclass(slots=True)
class Given:
    """The settings that are not left at their defaults."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    """Of each of these settings: its variable, or its place in the file."""

    faults: list[SettingsError] = field(default_factory=list)
    faulty: set[str] = field(default_factory=set)
    """The settings whose values are wrong."""

    @classmethod
    def read(cls, kinds: Mapping[str, Any], environ: Mapping[str, str], file: ConfigFile) -> Given:
        """Read what overrides defaults: the file, and over it the environment.

        `kinds` has the type of each setting. A value that is wrong is reported, also where the
        environment overrides it.
        """
        given = cls(faults=list(file.faults))
        for name in dict.fromkeys(TABLES_OF.get(each, each) for each in file.table):
            if name in kinds:
                given._take_from_file(name, kinds, file)
            elif name not in OTHER_TABLES:
                known = [*kinds, *OTHER_TABLES, *TABLES_OF]
                given.faults.append(unknown_name(name, file.place(name), known))
        for variable, text in environ.items():
            if text and not is_foreign(variable, text):
                given._take_from_environment(kinds, variable, text)
        return given

    def _take_from_file(self, name: str, kinds: Mapping[str, Any], file: ConfigFile) -> None:
        kind = kinds[name]
        if file.table.get(name) == "" and kind in {str, Path} and name not in CHOICES:
            return
        known = len(self.faults)
        value = _from_file(name, kinds, file, self.faults)
        if len(self.faults) > known:
            self.faulty.add(name)
        else:
            self.values[name], self.origins[name] = value, _origin(name, file)

    def _take_from_environment(self, kinds: Mapping[str, Any], variable: str, text: str) -> None:
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name not in kinds:
            known = [each for each in kinds if each not in FILE_ONLY]
            self.faults.append(unknown_variable(variable, known))
            return
        if name in FILE_ONLY:
            self.faults.append(file_only(variable, name))
            return
        try:
            self.values[name] = parse_value(name, kinds[name], text, variable)
            self.origins[name] = variable
        except SettingsError as fault:
            self.faults.append(fault)
            self.faulty.add(name)
            self.values.pop(name, None)  # what is meant is not what the file says
            self.origins.pop(name, None)


def _origin(name: str, file: ConfigFile) -> str:
    """Return where a setting is in the file: of one in several tables, where the first is."""
    return file.place(next(each for each in file.table if TABLES_OF.get(each, each) == name))


def _from_file(
    name: str, kinds: Mapping[str, Any], file: ConfigFile, faults: list[SettingsError]
) -> Any:
    """Return the value of a setting in the file, and add its faults."""
    if name == "prices":
        from voxgate.configuration.price_tables import read_prices  # noqa: PLC0415 (pydantic)

        return read_prices(file, kinds, faults)
    if name == "endpoints":
        from voxgate.configuration.endpoint_tables import read_endpoints  # noqa: PLC0415 (as above)

        return read_endpoints(file, kinds, faults)
    kind, value, place = kinds[name], file.table[name], file.place(name)
    try:
        if name == "model_aliases":
            return _aliases(file, kinds, faults)
        if name in LISTS:
            return _list_from_file(name, kind, file, faults)
        if name not in CHOICES:
            _check_type(name, kind, value, place)
        return parse_value(name, kind, float(value) if isinstance(value, Decimal) else value, place)
    except SettingsError as fault:
        faults.append(fault)
        return None


def _list_from_file(name: str, kind: Any, file: ConfigFile, faults: list[SettingsError]) -> Any:
    """Return a setting that is a list of texts. Each element that is wrong is reported."""
    elements = file.table[name]
    if not isinstance(elements, list):
        raise SettingsError(
            f"{file.place(name)}: '{name}' must be a list of texts, as {name} = "
            f"{_LIST_EXAMPLES[name]}."
        )
    parsed: list[str] = []
    for index, element in enumerate(elements):
        place = file.place(name, index)
        try:
            _check_type(name, str, element, place)
            parsed += parse_value(name, kind, [element], place)
        except SettingsError as fault:
            faults.append(fault)
    return tuple(parsed)


def _aliases(
    file: ConfigFile, settings: Collection[str], faults: list[SettingsError]
) -> tuple[tuple[str, str], ...]:
    """Return the table `[model_aliases]`. Each alias that is wrong is reported."""
    table = file.table["model_aliases"]
    if not isinstance(table, dict):
        raise SettingsError(
            f"{file.place('model_aliases')}: 'model_aliases' must be a table, with lines as "
            f'whisper-1 = "openai/whisper-base".'
        )
    for alias, name in table.items():
        place = file.place("model_aliases", alias)
        if alias in settings:
            faults.append(SettingsError(f"{place}: {misplaced(alias)}"))
        elif not isinstance(name, str):
            faults.append(
                SettingsError(
                    f"{place}: '{alias}' must be the name of a model in quotes, and is "
                    f"{shown(name)}."
                )
            )
    return tuple(table.items())


def _check_type(name: str, kind: Any, value: Any, place: str) -> None:
    types, expected = _TYPES[kind]
    if type(value) not in types:
        raise SettingsError(f"{place}: '{name}' must be {expected}, and is {shown(value)}.")
