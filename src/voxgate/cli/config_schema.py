"""The JSON schema of `voxgate.toml`, of draft 7, which editors of TOML read.

taplo and "Even Better TOML" take the schema that a file names: `#:schema ./voxgate.schema.json`.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxgate.api.setting_texts import setting_descriptions
from voxgate.cli.config_text import ABOUT_KEYS, ABOUT_PROVIDERS
from voxgate.configuration.endpoint_tables import EndpointTable
from voxgate.configuration.price_tables import PriceTable
from voxgate.configuration.provider_tables import ProviderTable
from voxgate.configuration.values import (
    CHOICES,
    DEVICE_PATTERN,
    MAX_PORT,
    MAY_BE_ZERO,
    MOST_THREADS,
    UNLIMITED_BYTES,
)
from voxgate.ledger.key_tables import KeyTable
from voxgate.settings import Settings

if TYPE_CHECKING:
    from dataclasses import Field

    from voxgate.configuration.tables import Table

DRAFT = "http://json-schema.org/draft-07/schema#"
DECIMAL = r"^[0-9]+(\.[0-9]+)?$"

_SECRETS = {"type": "array", "items": {"type": "string", "contentEncoding": "base64"}}
_SPECIAL: dict[str, dict[str, Any]] = {
    "port": {"type": "integer", "minimum": 0, "maximum": MAX_PORT},
    **{name: {"type": "number", "minimum": 0} for name in MAY_BE_ZERO},
    "canary_every_s": {"type": ["number", "null"], "minimum": 0},  # null as below
    "threads": {"type": "integer", "minimum": 0, "maximum": MOST_THREADS},
    "device": {"type": "string", "pattern": f"^({DEVICE_PATTERN.pattern})?$"},
    "cors_origins": {"type": "array", "items": {"type": "string"}},
    "url_allow": {"type": "array", "items": {"type": "string"}},
    "page_secret": _SECRETS,
    "transcript_key": _SECRETS,
    "model_aliases": {"type": "object", "additionalProperties": {"type": "string"}},
}
_TABLES: dict[str, type[Table]] = {"prices": PriceTable, "endpoints": EndpointTable}
_TYPES: dict[type, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer", "minimum": 1},
    float: {"type": ["number", "null"], "exclusiveMinimum": 0},  # taplo takes inf for null
    str: {"type": "string"},
}


def configuration_schema() -> dict[str, Any]:
    """Return the schema. What it accepts may still contradict itself: `voxgate config check`."""
    texts = setting_descriptions()
    properties = {each.name: _setting(each, texts[each.name]) for each in fields(Settings)}
    properties["providers"] = _tables(ProviderTable, ABOUT_PROVIDERS)
    properties["keys"] = _tables(KeyTable, ABOUT_KEYS)
    return {
        "$schema": DRAFT,
        "title": "Voxgate's configuration",
        "description": "voxgate.toml, in VOXGATE_HOME or where VOXGATE_CONFIG names it.",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def _setting(setting: Field[Any], description: str) -> dict[str, Any]:
    name, default = setting.name, setting.default
    if name in _TABLES:
        return _tables(_TABLES[name], description)
    if name in CHOICES:
        kind: dict[str, Any] = {"enum": list(CHOICES[name])}
    else:
        is_text = default is MISSING or isinstance(default, Path)
        kind = _SPECIAL.get(name) or _TYPES[str if is_text else type(default)]
    return {**kind, "description": description, **_default(default)}


def _default(value: Any) -> dict[str, Any]:
    """Return the default, where it is the same on every machine and JSON has it."""
    if not isinstance(value, (bool, int, float, str)) or value == "":
        return {}
    if isinstance(value, float) and isinf(value):
        return {}
    return {} if value == UNLIMITED_BYTES else {"default": value}


def _tables(model: type[Table], description: str) -> dict[str, Any]:
    schema = _cleaned(model.model_json_schema())
    return {"type": "array", "description": description, "items": schema}


def _cleaned(schema: Any) -> Any:
    """Return pydantic's schema without titles, null and defaults that stand for none.

    TOML has no null.
    """
    if isinstance(schema, list):
        return [_cleaned(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {
        name: {field: _cleaned(part) for field, part in value.items()}
        if name == "properties"
        else _cleaned(value)
        for name, value in schema.items()
        if name != "title" and not (name == "default" and value in (None, "0", "0001-01-01"))
    }
    options = [each for each in parts.get("anyOf", []) if each != {"type": "null"}]
    if len(options) == 1:
        return {**{name: value for name, value in parts.items() if name != "anyOf"}, **options[0]}
    for option in options:  # of a number, which may be in quotes
        if option == {"type": "string"}:
            option["pattern"] = DECIMAL
    return {**parts, "anyOf": options} if options else parts
