"""Which file is read, and what is said of one that cannot be."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import drop_permission_override
from tests.ledger.other_process import run
from voxgate.configuration.file import ConfigFile
from voxgate.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_variable_names_the_file_and_the_home_has_it_otherwise(tmp_path: Path) -> None:
    environ = {"VOXGATE_HOME": str(tmp_path / "home")}
    none = ConfigFile.find(environ)
    assert (none.path, none.exists) == (tmp_path / "home" / "voxgate.toml", False)
    assert (none.table, none.faults) == ({}, ())
    none.path.parent.mkdir()
    none.path.write_text("port = 1\n")
    assert ConfigFile.find(environ).table == {"port": 1}
    mounted = tmp_path / "any name"
    mounted.write_text("port = 2\n")
    mounted.chmod(0o400)
    assert ConfigFile.find(environ | {"VOXGATE_CONFIG": str(mounted)}).table == {"port": 2}
    assert ConfigFile.find(environ | {"VOXGATE_CONFIG": ""}).table == {"port": 1}


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    environ = {"VOXGATE_HOME": str(tmp_path), "VOXGATE_CONFIG": str(tmp_path / "none.toml")}
    (fault,) = ConfigFile.find(environ).faults
    assert fault.sentence == (
        f"There is no file {tmp_path}/none.toml, which VOXGATE_CONFIG names. Correct the name, or "
        f"create it."
    )
    (fault,) = ConfigFile.find(environ | {"VOXGATE_CONFIG": str(tmp_path)}).faults
    assert "cannot be read: Is a directory" in fault.sentence


def test_the_file_of_old_is_not_passed_over(tmp_path: Path) -> None:
    environ = {"VOXGATE_HOME": str(tmp_path)}
    old, new = tmp_path / "config.toml", tmp_path / "voxgate.toml"
    old.write_text("offline = true\n")
    (fault,) = ConfigFile.find(environ).faults
    assert f"{old} is not read any more" in fault.sentence
    assert fault.sentence.endswith("Rename it to voxgate.toml.")
    new.write_text("port = 1\n")
    found = ConfigFile.find(environ)
    assert found.table == {"port": 1}
    assert f"The file that is read is {new}" in found.faults[0].sentence
    new.unlink()
    fault, _ = ConfigFile.find(environ | {"VOXGATE_CONFIG": str(tmp_path / "none.toml")}).faults
    assert f"The file that is read is {tmp_path}/none.toml" in fault.sentence
    assert ConfigFile.find(environ | {"VOXGATE_CONFIG": str(old)}).table == {"offline": True}
    old.unlink()
    assert ConfigFile.find(environ).faults == ()


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        (b"max_decoders 3\n", ":1:14", "not TOML: Expected '=' after a key"),
        (b"a = 1\n\n  b = [1,\n", "", "not TOML: Invalid value (at end of document)"),
        (b"a = of\n", ":1:5", "not TOML: Invalid value"),
        (b"a = 1\na = 2\n", ":2:6", "not TOML: This name has a value above"),
        (b"a = 2027-02-30\n", ":1:5", "not TOML: Invalid date or datetime"),
        (b"a = '\xff'\n", "", "is not UTF-8: byte 6 is wrong"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "", "is nested too deeply"),
        (b"a = " + b"9" * 5000, "", "not TOML: Exceeds the limit"),
    ],
)
def test_what_is_no_toml_is_said_with_its_place(
    text: bytes, place: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "voxgate.toml"
    path.write_bytes(text)
    found = ConfigFile.read(path)
    (fault,) = found.faults
    assert fault.sentence.startswith(f"{path}{place}")
    assert says in fault.sentence
    assert found.table == {}


def test_what_windows_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "voxgate.toml"
    path.write_bytes(b"\xef\xbb\xbf# comment\r\nport = 1\r\n[[prices]]\r\namount = 0.006\r\n")
    found = ConfigFile.read(path)
    assert found.table == {"port": 1, "prices": [{"amount": Decimal("0.006")}]}
    assert found.place("prices", 0, "amount") == f"{path}:4:1"


def test_a_place_is_that_of_the_nearest_part(tmp_path: Path) -> None:
    path = tmp_path / "voxgate.toml"
    path.write_text("port = 1\n[[keys]]\nname = 'a'\n")
    found = ConfigFile.read(path)
    assert found.place("keys", 0, "name") == f"{path}:3:1"
    assert found.place("keys", 0, "hash") == f"{path}:2:1"
    assert found.place("prices") == str(path)


def test_faults_are_in_the_order_of_their_places(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "voxgate.toml").write_text("port = 1\n")
    found = ConfigFile.find({"VOXGATE_HOME": str(tmp_path)})
    (old,) = found.faults
    places = ("VOXGATE_PORT", f"{found.path}:10:1", f"{found.path}:9:2", f"{found.path}:9:1")
    variable, last, second, first = (SettingsError(f"{place}: wrong") for place in places)
    faults = [variable, last, second, old, first]
    assert found.in_order(faults) == [old, first, second, last, variable]


def test_a_file_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "voxgate.toml"
    path.write_text("port = 1\n")
    path.chmod(0)
    body = """
        from voxgate.configuration.file import ConfigFile
        print(*(each.sentence for each in ConfigFile.read(Path(arguments[0])).faults))
        """
    code, out = run(body, tmp_path / "ledger", str(path), preexec=drop_permission_override)
    assert (code, f"{path} cannot be read: Permission denied" in out) == (0, True)
    assert os.access(path, os.F_OK)
