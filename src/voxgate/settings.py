"""`Settings`: every limit and place, read once from the environment and the settings file.

`VOXGATE_<NAME>` in the environment wins over `config.toml` in `VOXGATE_HOME`, which wins over the
default. An empty value sets nothing. An unknown name is an error, not a shrug: a misspelt limit
would otherwise protect nobody.
"""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_data_path

from voxgate.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENVIRONMENT_PREFIX = "VOXGATE_"
HOME_VARIABLE = user_data_path("voxgate")
DEVICE_PATTERN = re.compile(r"auto|cpu|cuda(:\d{1,2})?", re.ASCII)
FOREIGN_VARIABLES = {
    "VOXGATE_AUDIO",  # the tests' and benchmarks' folder of recordings
    "VOXGATE_SERVER",  # of the command line: options, not settings
    "VOXGATE_KEY",
}
"""Names of ours in the environment that set nothing here."""


def _temporary_folder() -> Path:
    """The system's. Asked for late: it is looked for by writing."""
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise SettingsError(
            f"There is no place for decoded sound: {error.strerror}. Name a folder that can be "
            f"written, on a disk with space, in VOXGATE_SPOOL_DIR."
        ) from error


@dataclass(frozen=True, slots=True)
class Settings:
    """What an installation may decide. Sizes in bytes, times in seconds."""

    home: Path = HOME_VARIABLE
    """State lies here: the settings file, and later models and the ledger."""

    spool_dir: Path = field(default_factory=_temporary_folder)
    """Decoded sound, in unlinked files: 115 MB an hour. A disk, where /tmp is memory."""

    max_source_bytes: int = 16 * 2**30
    """The largest recording, as the caller's bytes."""

    max_duration_s: float = 24 * 3600.0
    """The longest recording, as decoded sound."""

    decoder_memory_bytes: int = 2**30
    """What one file's decoder may allocate beyond its own start."""

    decoder_cpu_s: int = 3600
    """What one file's decoder may compute."""

    decoder_patience_s: float = 30.0
    """How far one file's decoder may fall behind real time."""

    engine_start_s: float = 600.0
    """How long an engine may take to become ready: a model's first start quantises its weights."""

    engine_patience_s: float = 30.0
    """How long an engine with work may go without a step before it is killed."""

    device: str = "auto"
    """Where Voxtral computes: `cpu`, `cuda`, `cuda:N`, or a card that it fits on, else `cpu`."""

    profile: str = "auto"
    """How Voxtral's weights are held: `exact`, `balanced` or `fast`; by itself `balanced` on a
    processor and `exact` on a card, which has no other."""

    engine_idle_s: float = 300.0
    """How long an engine may be without work before it is unloaded; `inf` keeps it for ever."""

    engine_turn_s: float = 30.0
    """How long a model with work keeps its place when another waits that does not fit beside it."""

    engine_memory_bytes: int = 2**63 - 1
    """What all engines together may take of memory; by itself, what is free."""

    while_loading: str = "wait"
    """What becomes of a request whose model is not loaded yet: `wait`, or `refuse` it with 503."""

    max_decoders: int = 8
    """How many recordings are decoded at once; others wait for their turn."""

    auth: str = "keys"
    """Whether the server asks for keys: `keys` or, on the loopback only, `off`."""

    max_upload_bytes: int = 2**30
    """The largest recording that the server takes."""

    max_upload_s: float = 12 * 3600.0
    """The longest recording that the server takes."""

    body_patience_s: float = 30.0
    """How long a request's body may go without a byte."""

    max_flights: int = 256
    """How many recordings the server works on at once; the next gets 503."""

    max_flights_per_key: int = 128
    """How many of them may be of one key; the next gets 429."""

    filler_after_s: float = 3.0
    """When the server begins to send spaces to a client that waits for JSON."""

    offline: bool = False
    """Whether no socket may leave this machine."""

    drain_s: float = 30.0
    """How long work under way may go on after the server was told to end."""

    def __post_init__(self) -> None:
        if self.device.startswith("cuda") and self.profile not in {"auto", "exact"}:
            raise SettingsError(
                f"'profile' is '{self.profile}', which is a processor's, and 'device' is "
                f"'{self.device}'. Leave VOXGATE_PROFILE out, or set VOXGATE_DEVICE=cpu."
            )

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """The settings of this process. Raises `SettingsError`, which names the culprit."""
        home = Path(environ.get(f"{ENVIRONMENT_PREFIX}HOME") or HOME_VARIABLE).expanduser()
        given = _from_file(home / "config.toml") | _from_environment(environ)
        return cls(**{name: _value(name, *pair) for name, pair in given.items()})


_KINDS = {
    setting.name: Path if setting.default is MISSING else type(setting.default)
    for setting in fields(Settings)
}


_CHOICES = {
    "auth": ("keys", "off"),
    "profile": ("auto", "exact", "balanced", "fast"),
    "while_loading": ("wait", "refuse"),
}


def _from_file(path: Path) -> dict[str, tuple[Any, str]]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error}.") from error
    return {
        _known(name, str(path)): (value, str(path)) for name, value in table.items() if value != ""
    }


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    ours = [
        key
        for key in environ
        if key.startswith(ENVIRONMENT_PREFIX) and key not in FOREIGN_VARIABLES
    ]
    return {
        _known(key.removeprefix(ENVIRONMENT_PREFIX).lower(), "the environment"): (environ[key], key)
        for key in ours
        if environ[key]
    }


def _known(name: str, place: str) -> str:
    if name in _KINDS:
        return name
    near = get_close_matches(name, _KINDS, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known are: {', '.join(_KINDS)}."
    raise SettingsError(f"'{name}' in {place} is no setting. {hint}")


def _value(name: str, value: Any, place: str) -> Any:
    kind: Any = _KINDS[name]
    if name in _CHOICES and value not in _CHOICES[name]:
        *others, last = (f"'{choice}'" for choice in _CHOICES[name])
        choices = f"{', '.join(others)} or {last}"
        raise SettingsError(f"{place}: '{name}' must be {choices}: {value!r}.")
    if name == "device" and not DEVICE_PATTERN.fullmatch(str(value)):
        raise SettingsError(f"{place}: 'device' must be auto, cpu, cuda or cuda:N: {value!r}.")
    if kind is bool:
        return _flag(name, value, place)
    try:
        if kind is str:
            return str(value)
        if issubclass(kind, Path):
            return Path(value).expanduser()
        number = kind(value)
        if not number > 0:  # nor not-a-number
            raise ValueError("not above zero")
    except (TypeError, ValueError, OverflowError) as error:
        wanted = {int: "a whole number", float: "a number"}.get(kind, "a path")
        raise SettingsError(f"{place}: '{name}' must be {wanted} above zero: {value!r}.") from error
    return number


def _flag(name: str, value: Any, place: str) -> bool:
    flags = {"1": True, "true": True, "yes": True, "on": True}
    flags |= {"0": False, "false": False, "no": False, "off": False}
    try:
        return flags[str(value).lower()]
    except KeyError:
        raise SettingsError(f"{place}: '{name}' must be 1 or 0: {value!r}.") from None
