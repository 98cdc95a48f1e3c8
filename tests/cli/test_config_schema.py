"""The JSON schema of the file: valid itself, and of one mind with `voxgate config check`."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from docs.generate import SCHEMA_FILE
from jsonschema import Draft7Validator, FormatChecker

from voxgate.api.setting_texts import setting_descriptions
from voxgate.cli.config_schema import configuration_schema
from voxgate.cli.settings import examine_file
from voxgate.configuration.endpoint_tables import EndpointTable
from voxgate.configuration.file import ConfigFile
from voxgate.configuration.names import (
    ENDPOINT_FIELDS,
    KEY_FIELDS,
    PRICE_FIELDS,
    PROVIDER_FIELDS,
)
from voxgate.configuration.price_tables import PriceTable
from voxgate.configuration.provider_tables import ProviderTable
from voxgate.ledger.key import NewKeyFields
from voxgate.ledger.key_tables import KeyTable
from voxgate.prices import ListedPrice, Price

if TYPE_CHECKING:
    from tests.cli.command import CliRunner

SAMPLE = Path(__file__).parents[2] / "samples" / "voxgate.toml"
HASH = "0" * 64
KEY = f"[[keys]]\nname = 'a'\nhash = '{HASH}'\n"
PROVIDER = "[[providers]]\nname = 'groq'\nkind = 'compatible'\nurl = 'https://a.b/v1'\n"
ENDPOINT = "[[endpoints]]\nmodel = 'a/b'\nprovider = 'groq'\nupstream_model = 'c'\n"
PRICE = "[[prices]]\nmodel = '*'\namount = 1\nunit = 'hour'\n"


def as_json(value: Any) -> Any:
    """A value of TOML as editors give it to a schema."""
    if isinstance(value, dict):
        return {name: as_json(part) for name, part in value.items()}
    if isinstance(value, list):
        return [as_json(part) for part in value]
    if isinstance(value, (date, datetime, time)):
        return value.isoformat()
    if isinstance(value, (Decimal, float)):
        return float(value) if isfinite(value) else None  # as taplo gives inf to its validator
    return value


def accepted(text: str, folder: Path) -> tuple[bool, bool]:
    """Whether the schema accepts a file, and whether `voxgate config check` does."""
    path = folder / "voxgate.toml"
    path.write_text(text, "utf-8")
    validator = Draft7Validator(configuration_schema(), format_checker=FormatChecker())
    *_, faults = examine_file(ConfigFile.read(path), environment=False)
    return validator.is_valid(as_json(tomllib.loads(text))), not faults


def test_it_is_a_schema_and_describes_everything(cli: CliRunner) -> None:
    schema = json.loads(cli.run("config", "schema").stdout)
    assert schema == configuration_schema() == json.loads(SCHEMA_FILE.read_text("utf-8"))
    Draft7Validator.check_schema(schema)
    properties = schema["properties"]
    assert set(properties) == {*setting_descriptions(), "keys", "providers"}
    names = ("prices", "providers", "endpoints", "keys")
    tables = [properties[name]["items"] for name in names]
    for table in (properties, *(each["properties"] for each in tables)):
        assert all(each["description"] for each in table.values())
    assert "null" not in json.dumps(tables)  # which TOML does not have


def test_tables_have_all_that_prices_and_keys_have() -> None:
    priced = {each.name for each in (*fields(Price), *fields(ListedPrice))} - {"price"}
    assert set(PriceTable.model_fields) == priced == set(PRICE_FIELDS)
    assert tuple(KeyTable.model_fields) == KEY_FIELDS
    assert tuple(ProviderTable.model_fields) == PROVIDER_FIELDS
    assert tuple(EndpointTable.model_fields) == ENDPOINT_FIELDS
    key = KeyTable(name="a", hash=HASH)
    changeable = set(NewKeyFields.__annotations__) - {"creator"}  # which is the file
    assert {*key.limits, *key.columns} == {"name", *changeable}


def test_the_sample_is_accepted(tmp_path: Path) -> None:
    text = SAMPLE.read_text("utf-8")
    first, how = text.splitlines()[:2]
    assert first == "#:schema ./voxgate.schema.json"  # right where the file is copied to
    assert "`voxgate config schema > voxgate.schema.json`" in how
    assert accepted(text, tmp_path) == (True, True)
    commented = "\n".join(
        line.removeprefix("#")
        if line[:2] in {"#" + c for c in "abcdefghijklmnopqrstuvwxyz["}
        else line
        for line in text.splitlines()
        if not line.startswith("#:")
    )
    assert accepted(commented, tmp_path) == (True, True)
    assert len(tomllib.loads(commented)) > len(tomllib.loads(text)) > 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "engine_idle_s = inf\nport = 0\noffline = false\ndevice = 'cuda:1'\nhost = ''\n",
        "kernels = 'avx2'\nthreads = 2\n",
        "kernels = ''\nthreads = 0\n",
        "url_allow = ['public']\ncors_origins = []\n[model_aliases]\na = 'b'\n",
        PRICE + "minimum_s = 0.5\nincrement_s = '1'\nvalid_from = 2027-01-01\n",
        PRICE.replace("amount = 1", "amount = '0.006'"),
        KEY + "limit = 5.00\nlimit_minutes = '600'\nlimit_reset = 'weekly'\nmax_recordings = 1\n",
        KEY + "expires_at = 2100-01-01\nallowed_models = ['a']\ndisabled = true\n",
        KEY + "expires_at = 2100-01-01T12:00:00Z\n",
        KEY + "management = true\n",
        "providers = []\nendpoints = []\n",
        PROVIDER + ENDPOINT,
        PROVIDER + "keys = ['env:GROQ_API_KEY', 'file:/run/secrets/groq', 'file:~/groq']\n",
        PROVIDER + "max_bytes = 65536\nmax_s = 1.5\nformats = ['ogg', 'wav']\nconcurrency = 1\n",
        PROVIDER + "patience_s = 60\ndata_collection = 'deny'\nzdr = true\n",
        "[[providers]]\nname = 'o'\nkind = 'openai'\n",
        PROVIDER + ENDPOINT + "languages = ['de', 'yue']\ntimes = 'none'\nwindow_s = 30\n",
        PROVIDER + ENDPOINT + "answers = true\nhears_s = 600\n",
        PROVIDER + ENDPOINT + "answers = true\ntranscribes = false\n",
        PROVIDER + ENDPOINT + "quantization = 'fp16'\n" + PRICE + "provider = 'groq'\n",
        PRICE + "provider = 'local'\n",
    ],
)
def test_what_is_right_is_accepted_by_both(text: str, tmp_path: Path) -> None:
    assert accepted(text, tmp_path) == (True, True)


@pytest.mark.parametrize(
    "text",
    [
        "max_decoder = 1",
        "max_decoders = 0",
        "max_decoders = 1.5",
        "max_decoders = '1'",
        "max_decoders = true",
        "drain_s = 0",
        "drain_s = '1'",
        "drain_s = 2027-01-01",
        "port = 65536",
        "port = -1",
        "offline = 1",
        "host = 1",
        "auth = 'of'",
        "kernels = 'avx512'",
        "threads = -1",
        "threads = 1025",
        "threads = 1.5",
        "device = 'gpu'",
        "url_allow = 'public'",
        "url_allow = [1]",
        "model_aliases = 'a = b'",
        "[model_aliases]\na = 1",
        "prices = 1",
        PRICE.replace("'*'", "''"),
        PRICE.replace("'*'", "1"),
        PRICE.replace("amount = 1", "amount = -1"),
        PRICE.replace("amount = 1", "amount = 1001"),
        PRICE.replace("amount = 1", "amount = 'a lot'"),
        PRICE.replace("amount = 1", "amount = true"),
        PRICE.replace("amount = 1", ""),
        PRICE.replace("hour", "day"),
        PRICE + "valid_from = 'soon'",
        PRICE + "minimum_s = 86401",
        PRICE + "maximum_s = 1",
        "[keys]\nname = 'a'",
        KEY.replace(HASH, HASH[1:]),
        KEY.replace("0", "A"),
        KEY.replace("name", "nome"),
        KEY + "limit = -1",
        KEY + "limit_reset = 'hourly'",
        KEY + "allowed_models = []",
        KEY + "allowed_models = ['']",
        KEY + "requests_per_minute = 10001",
        KEY + "max_recordings = 1.5",
        KEY + "management = 'yes'",
        KEY + "creator = 'us'",
        PRICE + "provider = ''",
        PROVIDER.replace("groq", "local"),
        PROVIDER.replace("groq", "Groq"),
        PROVIDER.replace("compatible", "groq"),
        PROVIDER.replace("https://a.b/v1", "a.b/v1"),
        PROVIDER.replace("https://a.b/v1", "https://me@a.b/v1"),
        PROVIDER.replace("https://a.b/v1", "https://a.b/v1?key=x"),
        PROVIDER + "keys = 'env:K'",
        PROVIDER + "keys = ['K']",
        PROVIDER + "keys = ['file:groq']",
        PROVIDER + "max_bytes = 1",
        PROVIDER + "max_s = 0.5",
        PROVIDER + "max_s = '60'",
        PROVIDER + "formats = []",
        PROVIDER + "formats = ['aac']",
        PROVIDER + "concurrency = 0",
        PROVIDER + "data_collection = true",
        PROVIDER + "key = 'env:K'",
        PROVIDER + ENDPOINT.replace("'a/b'", "'default'"),
        PROVIDER + ENDPOINT.replace("'a/b'", "'a/b/c'"),
        PROVIDER + ENDPOINT.replace("'c'", "'c d'"),
        PROVIDER + ENDPOINT + "languages = ['German']",
        PROVIDER + ENDPOINT + "languages = []",
        PROVIDER + ENDPOINT + "times = 'words'",
        PROVIDER + ENDPOINT + "window_s = 0",
        PROVIDER + ENDPOINT + "quantization = 'fp15'",
        PROVIDER + ENDPOINT + "answers = 'yes'",
        PROVIDER + ENDPOINT + "answers = true\nhears_s = 0.5",
    ],
)
def test_what_is_wrong_is_refused_by_both(text: str, tmp_path: Path) -> None:
    assert accepted(text, tmp_path) == (False, False)
