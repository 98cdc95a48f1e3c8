"""What is wrong with values in the file, and where: all of it, in one run."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from voxgate.configuration.file import ConfigFile
from voxgate.prices import ListedPrice, Price, PriceList
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.configuration.given import Given

GOOD = """
max_decoders = 3
engine_idle_s = inf
drain_s = 1.5
kept_s = 60
offline = true
auth = "keys"
spool_dir = "/spool"
home = "/home"
url_allow = ["public", "NAS.lan"]
database_url = ""
model_aliases = {"whisper-1" = "openai/whisper-base"}

[[prices]]
model = "openai/whisper-base"
amount = 0.1
unit = "minute"
minimum_s = 10
increment_s = "0.5"
valid_from = 2027-01-01

[[prices]]
model = "*"
amount = "0.000000000000000001"
unit = "request"
"""


def written(folder: Path, text: str) -> ConfigFile:
    path = folder / "voxgate.toml"
    path.write_text(text)
    return ConfigFile.read(path)


def faults(given: Given, file: ConfigFile) -> list[str]:
    """The sentences, each with the place in the file alone."""
    return [fault.sentence.removeprefix(f"{file.path}:") for fault in given.faults]


def test_values_are_taken_as_they_are_written(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    settings, found = Settings.examine({}, file)
    assert found == []
    assert (settings.max_decoders, settings.engine_idle_s) == (3, float("inf"))
    assert (settings.drain_s, settings.kept_s, settings.offline) == (1.5, 60.0, True)
    assert (str(settings.spool_dir), str(settings.home)) == ("/spool", "/home")
    assert settings.url_allow == ("public", "nas.lan")
    assert settings.model_aliases == (("whisper-1", "openai/whisper-base"),)
    minute = Price(Decimal("0.1"), "minute", Decimal(10), Decimal("0.5"))
    request = Price(Decimal("1E-18"), "request")
    assert settings.prices == PriceList(
        (
            ListedPrice("openai/whisper-base", minute, date(2027, 1, 1)),
            ListedPrice("*", request),
        )
    )
    origins = Settings.given({"VOXGATE_DRAIN_S": "2"}, file).origins
    assert (origins["max_decoders"], origins["drain_s"]) == (f"{file.path}:2:1", "VOXGATE_DRAIN_S")
    assert "database_url" not in origins


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max_decoder = 3", "1:1: 'max_decoder' is not a setting. Nearest: 'max_decoders'."),
        ("key = 3", "1:1: 'key' is not a setting. Nearest: 'keys'."),
        ("[server]\nport = 1", "1:1: 'server' is not a setting. `voxgate config show` lists"),
        ("max_decoders = 2.5", "1:1: 'max_decoders' must be a whole number, and is 2.5."),
        ("max_decoders = true", "1:1: 'max_decoders' must be a whole number, and is true."),
        ("max_decoders = '4'", "1:1: 'max_decoders' must be a whole number, and is '4'."),
        ("max_decoders = ''", "1:1: 'max_decoders' must be a whole number, and is ''."),
        ("max_decoders = [1]", "1:1: 'max_decoders' must be a whole number, and is a list."),
        ("max_decoders = 0", "1:1: 'max_decoders' must be a whole number above zero, and is 0."),
        ("port = 70000", "1:1: 'port' must be a port from 0 to 65535, and is 70000."),
        ("drain_s = 2027-01-01", "1:1: 'drain_s' must be a number, and is 2027-01-01."),
        ("drain_s = nan", "1:1: 'drain_s' must be a number above zero, and is nan."),
        ("offline = 1", "1:1: 'offline' must be true or false, and is 1."),
        ("host = 1", "1:1: 'host' must be a text in quotes, and is 1."),
        ("auth = 1", "1:1: 'auth' must be 'keys' or 'off', and is 1."),
        ("auth = ''", "1:1: 'auth' must be 'keys' or 'off', and is ''."),
        ("url_allow = 'public'", "1:1: 'url_allow' must be a list of texts, as url_allow = ["),
        ("url_allow = [\n'public',\n 3]", "3:2: 'url_allow' must be a text in quotes, and is 3."),
        ("cors_origins = ['*', 'a']", "1:22: 'cors_origins' must be '*', or sites as"),
        ("prices = 3", "1:1: 'prices' must be tables. Begin each with a line [[prices]], which"),
        ("prices = [3]", "1:1: 'prices' must be tables. Begin each with a line [[prices]]"),
        ("limit = 5", "1:1: 'limit' is not a setting. It is a field of [[keys]]. Move it below"),
        ("amount = 5", "1:1: 'amount' is not a setting. It is a field of [[prices]]."),
        (
            "[model_aliases]\na = 'b'\nlog_format = 'json'",
            "3:1: 'log_format' is a setting, and stands above the first table. Move it there.",
        ),
    ],
)
def test_a_value_that_is_wrong_is_named_with_its_place(
    text: str, says: str, tmp_path: Path
) -> None:
    file = written(tmp_path, text)
    (sentence,) = faults(Settings.given({}, file), file)
    assert sentence.startswith(says)


def price(**changes: str) -> str:
    values = {"model": "'*'", "amount": "1", "unit": "'hour'"} | changes
    return "[[prices]]\n" + "".join(
        f"{name} = {value}\n" for name, value in values.items() if value
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (price(amount=""), "1:1: this [[prices]] has no 'amount'. Add it."),
        (
            price(amount="true"),
            "3:1: 'amount' must be a number, as 5, 0.5 or \"0.5\", and is true.",
        ),
        (price(amount="nan"), "3:1: 'amount' must be a number"),
        (price(amount="'a lot'"), "3:1: 'amount' must be a number"),
        (price(amount="-1"), "3:1: 'amount' should be at least 0, and is -1."),
        (price(amount="1000.1"), "3:1: 'amount' should be at most 1000, and is 1000.1."),
        (
            price(unit="'minut'"),
            "4:1: 'unit' should be 'second', 'minute', 'hour', 'request', 'token' or",
        ),
        (price(model="''"), "2:1: 'model' should have at least 1 character, and is ''."),
        (price(model="3"), "2:1: 'model' should be a text, and is 3."),
        (price(increment="1"), "5:1: [[prices]] has no 'increment'. Nearest: increment_s."),
        (
            price(drain_s="1"),
            "5:1: [[prices]] has no 'drain_s'. 'drain_s' is a setting, and stands above the first",
        ),
        (price(xyz="1"), "5:1: [[prices]] has no 'xyz'. It has model, amount, unit,"),
        (price(valid_from="'2027-01-01'"), "5:1: 'valid_from' must be a day, as 2027-01-01"),
        (price(valid_from="2027-01-01T00:00:00"), "5:1: 'valid_from' must be a day"),
        (
            price(unit="'request'", minimum_s="1"),
            "5:1: a price by the request has no 'minimum_s'. Leave it out.",
        ),
        (price() + price(), "5:1: '*' has another price from the same day on, at"),
    ],
)
def test_a_price_that_is_wrong_is_named_with_its_place(
    text: str, says: str, tmp_path: Path
) -> None:
    file = written(tmp_path, text)
    given = Settings.given({}, file)
    (sentence,) = faults(given, file)
    assert sentence.startswith(says)
    assert "prices" not in given.values


def test_all_faults_are_found_in_one_run(tmp_path: Path) -> None:
    text = (
        "auth = 'of'\nxyzzy = 1\nport = -1\nurl_allow = [1, 'a b']\n"
        "[model_aliases]\na = 1\nb = 2\n"
        "[[prices]]\nunit = 1\nmodel = 2\namount = 'x'\n[[prices]]\n"
    )
    file = written(tmp_path, text)
    found = Settings.given({"VOXGATE_PORT": "x", "VOXGATE_XYZZY": "1"}, file)
    places = [sentence.split(": ")[0] for sentence in faults(found, file)]
    in_file = ["1:1", "2:1", "3:1", "4:14", "4:17", "6:1", "7:1", "9:1", "10:1", "11:1"]
    assert places == [*in_file, *["12:1"] * 3, "VOXGATE_PORT", faults(found, file)[-1]]
    assert "VOXGATE_XYZZY in the environment is not a setting" in places[-1]
    assert found.faulty == {"auth", "port", "url_allow", "model_aliases", "prices"}
    assert found.values == {}


def test_where_a_variable_is_wrong_the_file_does_not_stand_in(tmp_path: Path) -> None:
    file = written(tmp_path, "drain_s = 5\noffline = false\n")
    environ = {"VOXGATE_DRAIN_S": "soon", "VOXGATE_OFFLINE": "maybe"}
    settings, found = Settings.examine(environ, file)
    assert len(found) == 2
    assert (settings.drain_s, settings.offline) == (Settings().drain_s, True)
