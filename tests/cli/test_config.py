"""`voxgate config`, and the keys that the file lists, as users have them."""

from __future__ import annotations

import json
import re
import tomllib
from base64 import b64encode
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import served, with_key
from voxgate.configuration.file import ConfigFile
from voxgate.hardware.level import LEVELS, available_levels
from voxgate.ledger.key import hash_of
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tests.cli.command import CliRunner

KEY = f"[[keys]]\nname = 'newsroom'\nhash = '{hash_of('sk-vg-own')}'\nlimit = 5.00\n"
TEXT = (
    "max_decoders = 3\ndrain_s = 5\n[model_aliases]\n'whisper 1' = 'openai/whisper-base'\n"
    "[[prices]]\nmodel = '*'\namount = 0.006\nunit = 'minute'\nvalid_from = 2026-01-01\n" + KEY
)
FULL = (
    *("--limit", "5.00", "--limit-minutes", "600", "--reset", "monthly", "--rate", "60"),
    *("--expires", "2100-01-01", "--model", "openai/whisper-base", "--recordings", "4"),
    *("--external-user", "tenant 7", "--label", "team=news"),
)


@pytest.fixture
def cli(empty_cli: CliRunner) -> CliRunner:
    """Without any model: these tests look at the configuration alone."""
    (empty_cli.folder / "home").mkdir()
    return empty_cli


def write(cli: CliRunner, text: str) -> Path:
    path = cli.folder / "home" / "voxgate.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_check_says_what_it_read(cli: CliRunner) -> None:
    done = cli.run("config", "check")
    assert (done.returncode, done.stderr) == (0, "")
    path = cli.folder / "home" / "voxgate.toml"
    given = len(Settings.given(cli.environment, ConfigFile(path)).values)  # the home, and others
    assert done.stdout.startswith(f"{path} is not there; {given} setting")
    write(cli, TEXT)
    done = cli.run("config", "check", VOXGATE_PORT="1")
    counts = f"3 settings, 1 price, 1 key; {given + 1} settings of the environment.\n"
    assert (done.returncode, done.stdout) == (0, f"{path}: {counts}")
    mounted = cli.folder / "mounted.toml"
    mounted.write_text("port = 1\n")
    done = cli.run("config", "check", VOXGATE_CONFIG=str(mounted))
    assert done.stdout.startswith(f"{mounted}: 1 setting, 0 prices, 0 keys;")


def test_a_file_is_checked_without_the_environment(cli: CliRunner) -> None:
    other = cli.folder / "other.toml"
    other.write_text(TEXT)
    done = cli.run("config", "check", other, VOXGATE_PORT="x", VOXGATE_CONFIG="none")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{other}: 3 settings, 1 price, 1 key.\n"
    done = cli.run("config", "check", cli.folder / "none.toml")
    assert (done.returncode, "There is no file" in done.stderr) == (1, True)


def test_a_check_reports_all_faults_and_so_does_the_server(cli: CliRunner) -> None:
    path = write(cli, "port = -1\nmax_hours = 1\n[[prices]]\n[[keys]]\nname = 'a'\nhash = 'x'\n")
    done = cli.run("config", "check", VOXGATE_DRAIN_S="soon")
    assert (done.returncode, done.stdout) == (1, "")
    places = [line.split(": ")[1] for line in done.stderr.splitlines()]
    lines = [1, 2, 3, 3, 3, 6]
    assert places == [*(f"{path}:{line}:1" for line in lines), "VOXGATE_DRAIN_S"]
    for command in (("serve", "--port", "0"), ("keys", "apply")):
        refused = cli.run(*command, VOXGATE_DRAIN_S="soon")
        assert (refused.returncode, refused.stderr) == (2, done.stderr)
    assert cli.run("keys", "list", VOXGATE_DRAIN_S="").returncode == 2  # of the port


def test_a_name_of_no_model_is_reported_where_it_is_for_this_machine(cli: CliRunner) -> None:
    names = "[model_aliases]\na = 'openai/whisper-bass'\n"
    price = "[[prices]]\nmodel = 'openai/{}'\namount = 1\nunit = 'hour'\n"
    path = write(cli, names + price.format("whisper-bass") + price.format("whisper-base"))
    done = cli.run("config", "check")
    assert done.returncode == 1
    places = [line.split(": ")[1] for line in done.stderr.splitlines()]
    assert places == [f"{path}:2:1", f"{path}:4:1"]
    assert "Nearest: Systran/faster-whisper-base." in done.stderr
    assert cli.run("config", "check", path).returncode == 0
    own = price.format("whisper-base").replace("openai/", "Systran/faster-")
    write(cli, price.format("whisper-base") + own)
    done = cli.run("config", "check")
    assert done.stderr.startswith(
        f"voxgate: {path}:1:1: 'prices': openai/whisper-base and Systran/"
    )
    done = cli.run("config", "check", VOXGATE_PRICES="openai/whisper-bass = 1/hour")
    assert done.stderr.startswith("voxgate: VOXGATE_PRICES: ")
    for helper in ("answer_model", "draft_model"):
        path = write(cli, f"port = 1\n{helper} = 'openai/whisper-bass'\n")
        done = cli.run("config", "check")
        assert done.stderr.startswith(f"voxgate: {path}:2:1: "), done.stderr


def test_models_of_keys_are_looked_up_beside_other_faults(cli: CliRunner) -> None:
    wrong = "[[keys]]\nname = 'a'\n"  # which does not move the places of others
    models = "allowed_models = ['openai/whisper-base',\n'openai/whisper-bass']\n"
    path = write(cli, "port = -1\n[model_aliases]\na = 'b'\n" + wrong + KEY + models)
    done = cli.run("config", "check")
    assert done.returncode == 1
    places = [line.split(": ")[1] for line in done.stderr.splitlines()]
    assert places == [f"{path}:{place}" for place in ("1:1", "3:1", "4:1", "11:1")]


def test_a_database_that_no_command_can_serve_is_a_fault(cli: CliRunner) -> None:
    path = write(cli, "port = 1\ndatabase_url = 'mysql://me:secret@host/x'\n")
    for arguments in ((), (path,)):
        done = cli.run("config", "check", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(f"voxgate: {path}:2:1: 'database_url' must be the address")
        assert "secret" not in done.stderr
    assert cli.run("config", "show").returncode == 2
    done = cli.run("config", "check", VOXGATE_DATABASE_URL="postgresql://host/x")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_level_of_instructions_that_the_processor_lacks_is_a_fault_here(cli: CliRunner) -> None:
    level = next(level for level in LEVELS if level not in available_levels())
    path = write(cli, f"port = 1\nkernels = '{level}'\n")
    fault = f"voxgate: {path}:2:1: 'kernels' is '{level}', and this processor has no such"
    for command in (("config", "check"), ("models", "list"), ("serve", "--port", "0")):
        done = cli.run(*command)
        assert done.returncode in {1, 2}
        assert done.stderr.startswith(fault)
    assert cli.run("config", "check", path).returncode == 0  # it may be for another machine
    assert cli.run("models", "list", VOXGATE_KERNELS="off").returncode == 0


def test_a_key_that_has_expired_is_a_warning(cli: CliRunner) -> None:
    path = write(cli, KEY + "expires_at = 2020-01-01\n")
    done = cli.run("config", "check")
    says = f"{path}:5:1: this key expired on 2020-01-01. Remove it, or change the day."
    assert (done.returncode, done.stderr) == (0, f"voxgate: warning: {says}\n")


def test_a_key_of_the_file_that_is_wrong_does_not_keep_others_from_being_revoked(
    cli: CliRunner,
) -> None:
    cli.run("keys", "create", "--name", "laptop")
    write(cli, "[[keys]]\nname = 'a'\n")
    assert cli.run("keys", "revoke", "laptop").returncode == 0


def test_what_is_shown_is_the_configuration_in_effect_as_toml(cli: CliRunner) -> None:
    path = write(cli, TEXT)
    done = cli.run(
        "config",
        "show",
        VOXGATE_DRAIN_S="90",
        VOXGATE_DATABASE_URL="postgresql://me:sec/ret@host/books",
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = tomllib.loads(done.stdout, parse_float=Decimal)
    assert (shown["max_decoders"], shown["drain_s"], shown["port"]) == (3, 90, 8000)
    assert shown["generations_days"] == Decimal("Infinity")
    assert shown["model_aliases"] == {"whisper 1": "openai/whisper-base"}
    assert shown["prices"][0]["amount"] == Decimal("0.006")
    assert shown["keys"] == [
        {"name": "newsroom", "hash": hash_of("sk-vg-own"), "limit": Decimal("5.00")}
    ]
    assert "sec/ret" not in done.stdout
    for line in (
        f"max_decoders = 3  # {path}:1:1",
        "drain_s = 90.0  # VOXGATE_DRAIN_S",
        "port = 8000  # default",
        "# How many recordings are decoded at once; other recordings wait.",
        f"[[prices]]  # {path}:5:1",
        f"[[keys]]  # {path}:10:1",
        f"[model_aliases]  # {path}:3:1",
        "# engine_memory_bytes: no limit  # default",
    ):
        assert f"{line}\n" in done.stdout
    again = cli.folder / "shown.toml"
    hidden = done.stdout.replace("postgresql://me:***@host/books", "")
    again.write_text(hidden)
    assert cli.run("config", "check", again).returncode == 0
    same = cli.run("config", "show", VOXGATE_CONFIG=str(again))
    assert tomllib.loads(same.stdout, parse_float=Decimal) == shown | {"database_url": ""}


def test_programs_get_the_configuration_as_json(cli: CliRunner) -> None:
    path = write(cli, TEXT)
    found = json.loads(cli.run("config", "show", "--json").stdout)
    assert found["file"] == str(path)
    assert found["settings"]["max_decoders"]["value"] == 3
    assert found["settings"]["max_decoders"]["origin"] == f"{path}:1:1"
    assert found["settings"]["generations_days"]["value"] == "inf"
    price = {"model": "*", "amount": "0.006", "unit": "minute", "valid_from": "2026-01-01"}
    assert found["settings"]["prices"]["value"] == [price]
    assert [key["name"] for key in found["keys"]] == ["newsroom"]


def test_providers_are_shown_with_all_that_is_so_by_their_kind(cli: CliRunner) -> None:
    tables = (
        "[[providers]]\nname = 'openai'\nkind = 'openai'\nkeys = ['env:KEY_OF_OPENAI']\n"
        "[[endpoints]]\nmodel = 'openai/whisper-1'\nprovider = 'openai'\n"
        "upstream_model = 'whisper-1'\nlanguages = ['de']\n"
        "[[endpoints]]\nmodel = 'openai/gpt'\nprovider = 'openai'\nupstream_model = 'gpt'\n"
        "answers = true\nhears_s = 60\ntranscribes = false\n"
        "[[prices]]\nmodel = '*'\namount = 0.006\nunit = 'minute'\nprovider = 'openai'\n"
    )
    path = write(cli, tables)
    done = cli.run("config", "check", path)
    assert done.stdout == f"{path}: 0 settings, 1 price, 2 endpoints, 0 keys.\n"
    done = cli.run("config", "show", KEY_OF_OPENAI="value-of-the-key")
    assert (done.returncode, done.stderr) == (0, "")
    assert "value-of-the-key" not in done.stdout
    shown = tomllib.loads(done.stdout)
    assert shown["providers"] == [
        {
            "name": "openai",
            "kind": "openai",
            "url": "https://api.openai.com/v1",
            "keys": ["env:KEY_OF_OPENAI"],
            "max_bytes": 26_214_400,
            "max_s": 1400.0,
            "formats": ["flac", "wav"],
            "concurrency": 4,
            "patience_s": 60.0,
            "data_collection": "allow",
            "zdr": False,
        }
    ]
    endpoint = {"model": "openai/whisper-1", "provider": "openai", "upstream_model": "whisper-1"}
    answering = {"answers": True, "hears_s": 60.0, "transcribes": False}
    assert shown["endpoints"] == [
        endpoint | {"languages": ["de"]},
        endpoint | {"model": "openai/gpt", "upstream_model": "gpt"} | answering,
    ]
    assert shown["prices"][0]["provider"] == "openai"
    again = cli.folder / "shown.toml"
    again.write_text(done.stdout)
    same = cli.run("config", "show", VOXGATE_CONFIG=str(again))
    assert tomllib.loads(same.stdout) == shown
    found = json.loads(cli.run("config", "show", "--json").stdout)["settings"]["endpoints"]
    assert found["value"] == {name: shown[name] for name in ("providers", "endpoints")}
    assert found["origin"] == f"{path}:1:1"


def test_what_can_be_used_is_shown_beside_what_is_wrong(cli: CliRunner) -> None:
    write(cli, "port = -1\nmax_decoders = 3\n")
    done = cli.run("config", "show")
    assert done.returncode == 2
    assert "port = 8000  # default\n" in done.stdout
    assert "max_decoders = 3  # " in done.stdout
    assert "'port' must be a port" in done.stderr


def test_secrets_are_not_shown(cli: CliRunner) -> None:
    secret, password = b64encode(bytes(range(32))).decode(), "s3cret-pass"
    path = write(
        cli,
        f"transcript_key = ['{secret}']\ndatabase_url = 'postgresql://me:{password}@127.0.0.1:1/x'\n",
    )
    for command in (("config", "show"), ("config", "show", "--json"), ("doctor",)):
        done = cli.run(*command)
        assert secret not in done.stdout + done.stderr
        assert password not in done.stdout + done.stderr
    done = cli.run("config", "show")
    assert f"# transcript_key = [...]  # set, not shown: {path}:1:1\n" in done.stdout
    shown = cli.folder / "shown.toml"
    shown.write_text(done.stdout)
    assert cli.run("config", "check", shown).returncode == 0
    write(cli, f"database_url = 'mysql://me:{password}@host/x'\n")
    done = cli.run("config", "show")
    assert f"# database_url = ...  # set, not shown: {path}:1:1\n" in done.stdout
    assert password not in done.stdout + done.stderr
    write(cli, f"transcript_key = ['{secret[:-4]}']\n")
    done = cli.run("config", "check")
    assert f"{path}:1:" in done.stderr
    assert secret[:-4] not in done.stderr


def test_a_key_whose_transcripts_nothing_can_encrypt_is_reported(cli: CliRunner) -> None:
    path = write(cli, KEY + "keep_transcripts_days = 30\n")
    done = cli.run("config", "check")
    assert (done.returncode, f"{path}:5:" in done.stderr) == (1, True)
    assert "openssl rand" in done.stderr
    secret = b64encode(bytes(32)).decode()
    done = cli.run("config", "check", VOXGATE_TRANSCRIPT_KEY=secret)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_new_key_for_the_file_is_stored_nowhere(cli: CliRunner) -> None:
    done = cli.run("keys", "create", "--name", "newsroom", "--config", *FULL)
    assert done.returncode == 0
    (secret,) = re.findall(r"sk-vg-[\w-]{43}", done.stderr)
    assert secret not in done.stdout
    (table,) = tomllib.loads(done.stdout)["keys"]
    assert table == {
        "name": "newsroom",
        "hash": hash_of(secret),
        "label": f"{secret[:9]}...{secret[-4:]}",
        "limit": 5,
        "limit_minutes": 600,
        "limit_reset": "monthly",
        "expires_at": datetime(2100, 1, 1, tzinfo=UTC),
        "allowed_models": ["openai/whisper-base"],
        "requests_per_minute": 60,
        "max_recordings": 4,
        "labels": ["team=news"],
        "external_user": "tenant 7",
    }
    assert not any((cli.folder / "home").iterdir())
    path = write(cli, f"port = 1{done.stdout}")  # as `>>` appends to a line without an end
    waiting = cli.run("keys", "list")
    assert f"{path} also lists newsroom: `voxgate keys apply`" in waiting.stderr
    assert "newsroom" not in waiting.stdout
    applied = cli.run("keys", "apply")
    assert (applied.returncode, applied.stdout) == (0, "")
    assert "added newsroom." in applied.stderr
    assert "nothing to change." in cli.run("keys", "apply").stderr
    (key,) = json.loads(cli.run("keys", "list", "--json").stdout)
    assert (key["hash"], key["limit"], key["limit_reset"]) == (hash_of(secret), 5, "monthly")
    assert key["creator_user_id"] == f"file:{cli.folder / 'home' / 'voxgate.toml'}"
    assert (key["voxgate"]["limit_minutes"], key["voxgate"]["max_recordings"]) == (600, 4)
    refused = cli.run("keys", "edit", "newsroom", "--limit", "6")
    assert refused.returncode == 2
    assert f"is listed in {cli.folder / 'home' / 'voxgate.toml'}, and changed" in refused.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--creator", "us"), "The creator of a key in a file is the file"),
        (("--reset", "daily"), "A period without a limit limits nothing"),
        (("--management", "--rate", "1"), "does not transcribe"),
    ],
)
def test_a_table_that_would_be_refused_is_not_written(
    cli: CliRunner, options: tuple[str, ...], says: str
) -> None:
    done = cli.run("keys", "create", "--name", "a", "--config", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr


def test_the_list_of_keys_tells_what_is_wrong_with_those_of_the_file(cli: CliRunner) -> None:
    path = write(cli, KEY + "limit_reset = 'hourly'\n")
    done = cli.run("keys", "list")
    assert done.returncode == 0
    assert f"{path}:5:1: 'limit_reset' should be" in done.stderr


def test_there_must_be_a_file_to_apply(cli: CliRunner) -> None:
    done = cli.run("keys", "apply")
    assert (done.returncode, "voxgate.toml is not there" in done.stderr) == (2, True)


async def test_a_server_takes_the_keys_of_its_file(cli: CliRunner) -> None:
    path = write(cli, KEY)
    async with served(cli) as server:
        assert server.key == ""  # none had to be made
        said = [line for line in server.said if "keys of" in line]
        assert said == [f"voxgate: keys of {path}: added newsroom."]
        own = with_key("sk-vg-own")
        answer = await server.client.get("/key", headers=own)
        assert (answer.status_code, answer.json()["data"]["limit"]) == (200, 5)
        write(cli, KEY.replace("5.00", "7"))
        assert cli.run("keys", "apply").returncode == 0
        answer = await server.client.get("/key", headers=own)
        assert answer.json()["data"]["limit"] == 7
        await _managed(cli, server.client, path)
        write(cli, "")  # as an editor leaves it for a moment
        assert "go on working: newsroom. Write `keys = []`" in cli.run("keys", "apply").stderr
        assert (await server.client.get("/key", headers=own)).status_code == 200
        write(cli, "keys = []\n")
        assert "revoked newsroom" in cli.run("keys", "apply").stderr
        assert (await server.client.get("/key", headers=own)).status_code == 401


async def _managed(cli: CliRunner, client: httpx2.AsyncClient, path: Path) -> None:
    """A key that manages others cannot change one of the file, which the answer names."""
    boss = with_key(cli.run("keys", "create", "--name", "boss", "--management").stdout.strip())
    address = f"/keys/{hash_of('sk-vg-own')}"
    answer = await client.patch(address, headers=boss, json={"limit": 1})
    message: Any = answer.json()["error"]["message"]
    assert (answer.status_code, f"is listed in {path}, and changed there" in message) == (400, True)


def test_a_key_that_was_revoked_by_name_is_reported(cli: CliRunner) -> None:
    path = write(cli, KEY)
    cli.run("keys", "apply")
    assert cli.run("keys", "revoke", "newsroom").returncode == 0
    done = cli.run("keys", "apply")
    assert done.returncode == 0
    assert f"warning: {path}:1:1: the key 'newsroom' was revoked by name" in done.stderr
