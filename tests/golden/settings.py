"""The settings: names, defaults, what is read as a value, and the sentences for what is not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from tests.golden.cases import Case, case
from tests.golden.names import SettingsError, read_settings

ENVIRONMENT: dict[str, tuple[str, ...]] = {
    "MAX_DURATION_S": ("1e3", "60", " 60 ", "inf", "0", "-1", "nan", "x", "1,5", "1_000", ""),
    "MAX_DECODERS": ("3", " 3 ", "+3", "3.0", "0", "-1", "1e3", "0x10", "1_000", "x"),
    "ENGINE_IDLE_S": ("inf", "0"),
    "AUTH": ("off", "keys", "OFF", "of"),
    "PROFILE": ("fast", "balanced", "exact", "best"),
    "WHILE_LOADING": ("refuse", "no"),
    "KERNELS": ("avx2", "off", "best"),
    "THREADS": ("3", "0", "-1", "2.5"),
    "DEVICE": ("cpu", "cuda", "cuda:1", "cuda:123", "CPU", "gpu"),
    "OFFLINE": ("1", "true", "YES", "on", "0", "False", "no", "off", "2", "maybe"),
    "SPOOL_DIR": ("~/spool", "relative"),
    "SPOOL_DIRR": ("/x",),
    "ZZZZ": ("1",),
    "AUDIO": ("anything",),
    "SERVER": ("anything",),
    "KEY": ("anything",),
}

FILES = {
    "values": "max_decoders = 3\noffline = true\nauth = 'off'\nspool_dir = '/spool'\n",
    "a float for a number": "max_decoders = 2.5\n",
    "a boolean for a number": "max_decoders = true\n",
    "a text for a number": "max_decoders = '4'\n",
    "a list": "max_decoders = [1]\n",
    "a number for a flag": "offline = 1\n",
    "a number for a choice": "auth = 1\n",
    "an empty text": "max_decoders = ''\n",
    "zero": "drain_s = 0\n",
    "unknown": "max_decoder = 3\n",
    "a table": "[server]\nport = 1\n",
    "not TOML": "max_decoders 3\n",
}


def collect(folder: Path) -> dict[str, Case]:
    """Read the settings in many environments, each below a home of its own."""
    found = {"defaults": read(folder, {})}
    for name, values in ENVIRONMENT.items():
        for value in values:
            found[f"{name}={value}"] = read(folder, {f"VOXGATE_{name}": value}, changed=True)
    for name, text in FILES.items():
        home = folder / name
        home.mkdir()
        (home / "voxgate.toml").write_text(text, "utf-8")
        found[f"file: {name}"] = read(home, {}, changed=True)
    over = {"VOXGATE_MAX_DECODERS": "5", "VOXGATE_AUTH": ""}
    found["environment over file"] = read(folder / "values", over, changed=True)
    both = {"VOXGATE_PROFILE": "fast", "VOXGATE_DEVICE": "cuda"}
    found["contradiction"] = read(folder, both, changed=True)
    return found


def read(home: Path, environment: dict[str, str], *, changed: bool = False) -> Case:
    """What they are, or those that differ from the defaults; or the error."""
    places = {str(home): "<home>", str(Path.home()): "<user>"}
    try:
        values = shown(environment | {"VOXGATE_HOME": str(home)})
    except SettingsError as error:
        return case({"error": error.code, "status": error.status, "sentence": str(error)}, places)
    if changed:
        default = shown({"VOXGATE_HOME": str(home.parent / "none")})
        values = {name: value for name, value in values.items() if value != default[name]}
        values.pop("home")
    else:
        values["spool_dir"] = "<the system's>"
    return case(values, places)


def shown(environment: dict[str, str]) -> dict[str, Any]:
    """Every setting by name: its type, and its value as text."""
    settings: Any = read_settings(environment)
    if dataclasses.is_dataclass(settings):
        names = [each.name for each in dataclasses.fields(settings)]
    else:
        names = list(type(settings).model_fields)
    values = {name: getattr(settings, name) for name in names}
    return {name: f"{kind(value)} {value}" for name, value in values.items()}


def kind(value: object) -> str:
    return type(value).__name__.removeprefix("Posix")
