import asyncio
import json
import os
import pty
import re
import sqlite3
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import CliRunner, drop_permission_override
from tests.cli.test_disks import on_small_disk
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.key import Key
from voxgate.ledger.ledger import Ledger

SECRET = re.compile(r"sk-vg-[A-Za-z0-9_-]{43}\n")
MINUTE = 960_000  # samples
LIMITS: dict[str, Any] = {
    "limit_nanodollars": 5_000_000_000,
    "limit_samples": 600 * MINUTE,
    "reset": "monthly",
    "expires_at": datetime(2100, 1, 1, tzinfo=UTC),
    "allowed_models": ("openai/whisper-base", "whisper-1"),
    "requests_per_minute": 60,
    "max_recordings": 4,
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture
def cli(empty_cli: CliRunner) -> CliRunner:
    """Without any model: these tests look at everything in the home."""
    return empty_cli


def made(cli: CliRunner, name: str, **fields: Any) -> str:
    """A key, made without the command."""

    async def create() -> str:
        async with await Ledger.open(cli.folder / "home" / LEDGER_FILE) as ledger:
            return (await ledger.keys.create(name, **fields))[1]

    return asyncio.run(create())


def spent(cli: CliRunner, name: str, cost: Amount) -> None:
    """Let a key use so much, as its recordings do."""

    async def spend() -> None:
        async with await Ledger.open(cli.folder / "home" / LEDGER_FILE) as ledger:
            key = await ledger.keys.find(name)
            await ledger.generations.begin(Generation("gen-1", key.hash, "model"))
            outcome = Outcome(200, 1, cost=cost, audio_samples=cost.samples)
            await ledger.generations.finish("gen-1", outcome)

    asyncio.run(spend())


def on_terminal(cli: CliRunner, *arguments: str, columns: int = 80) -> str:
    """What a command shows on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        done = cli.run(*arguments, stdout=theirs, COLUMNS=str(columns))
        os.close(theirs)
        assert done.returncode == 0, done.stderr
        return screen.read(1 << 16).decode()


def known(cli: CliRunner) -> list[Key]:
    """The keys, listed without the command."""

    async def every() -> list[Key]:
        async with await Ledger.open(cli.folder / "home" / LEDGER_FILE) as ledger:
            return await ledger.keys.all()

    return asyncio.run(every())


def listed(cli: CliRunner) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cli.run("keys", "list", "--json").stdout)
    return found


def test_only_the_new_key_is_written_to_standard_output(cli: CliRunner) -> None:
    done = cli.run("keys", "create", "--name", "laptop")
    assert done.returncode == 0
    assert SECRET.fullmatch(done.stdout)
    assert "created the key 'laptop'" in done.stderr
    assert done.stdout.strip() not in done.stderr
    (key,) = known(cli)
    assert key.hash == sha256(done.stdout.strip().encode()).hexdigest()
    assert (cli.folder / "home").stat().st_mode & 0o777 == 0o700


def test_a_pipe_gets_columns_divided_by_tabs(cli: CliRunner) -> None:
    secret = made(cli, "laptop")
    made(cli, "desk")
    cli.run("keys", "revoke", "desk")
    heading, *rows = (line.split("\t") for line in cli.run("keys", "list").stdout.splitlines())
    assert heading == ["name", "label", "used", "limit", "last used", "state"]
    label = f"{secret[:9]}...{secret[-4:]}"
    assert rows[0] == ["laptop", label, "nothing", "none", "never", "valid"]
    assert (rows[1][0], rows[1][5]) == ("desk", "revoked")


def test_programs_get_json(cli: CliRunner) -> None:
    made(cli, "Zoë's 📱")
    (key,) = listed(cli)
    assert key["name"] == "Zoë's 📱"
    assert re.fullmatch("[0-9a-f]{64}", key["hash"])
    assert TIME.fullmatch(key["created_at"])
    assert (key["last_used_at"], key["revoked_at"]) == (None, None)
    cli.run("keys", "revoke", key["hash"][:8])
    assert TIME.fullmatch(listed(cli)[0]["revoked_at"])


def test_a_terminal_gets_a_table(cli: CliRunner) -> None:
    made(cli, "[red]laptop[/red]")
    table = on_terminal(cli, "keys", "list", columns=120)
    assert "[red]laptop[/red]" in table
    assert "──" in table
    assert "\t" not in table


def test_control_characters_of_a_keys_fields_are_escaped(cli: CliRunner) -> None:
    made(cli, "laptop", creator="\x1b[2Jboss", external_user="tenant\t7\n")
    lines = cli.run("keys", "show", "laptop").stdout.splitlines()
    assert {"creator\t\\x1b[2Jboss", "external user\ttenant\\t7\\n"} <= {*lines}
    assert all(
        line.isprintable() for line in on_terminal(cli, "keys", "show", "laptop").splitlines()
    )


def test_80_columns_have_room_for_limits_and_what_is_left(cli: CliRunner) -> None:
    made(cli, "newsroom", **LIMITS)
    made(cli, "boss", management=True)
    spent(cli, "newsroom", Amount(750_000_000, 20 * MINUTE))
    lines = on_terminal(cli, "keys", "list").splitlines()
    assert max(map(len, lines)) <= 80
    words = " ".join(" ".join(lines).split())
    assert words.startswith("name label used limit last used state ──")
    for shown in ("$0.75, 20 min", "$5.00", "$4.25 left; 600 min", "580 min left", "manages"):
        assert shown in words
    page = " ".join(on_terminal(cli, "keys", "show", "newsroom").split())
    for shown in (
        "limits $5.00 monthly, $4.25 left; 600 min monthly, 580 min left",
        "used today $0.75, 20 min",
        "models openai/whisper-base, whisper-1",
        "recordings a minute 60",
        "recordings at once 4",
        "expires 2100-01-01T00:00:00Z",
    ):
        assert shown in page
    assert "revoked" not in page


def test_every_option_is_a_field_of_the_key(cli: CliRunner) -> None:
    options = (
        *("--limit", "5.00", "--limit-minutes", "600", "--reset", "monthly", "--rate", "60"),
        *("--expires", "2100-01-01", "--model", "openai/whisper-base", "--model", "whisper-1"),
        *("--recordings", "4", "--creator", "us", "--external-user", "tenant 7"),
    )
    assert cli.run("keys", "create", "--name", "newsroom", *options).returncode == 0
    (key,) = known(cli)
    assert key.budget
    found = {
        "limit_nanodollars": key.budget.limit_nanodollars,
        "limit_samples": key.budget.limit_samples,
        "reset": key.budget.reset,
    }
    found |= {name: getattr(key, name) for name in LIMITS.keys() - found.keys()}
    assert found == LIMITS
    assert (key.creator, key.external_user, key.management) == ("us", "tenant 7", False)
    assert cli.run("keys", "create", "--name", "boss", "--management").returncode == 0
    assert known(cli)[1].management


def test_what_is_given_is_changed_and_none_removes_it(cli: CliRunner) -> None:
    made(cli, "newsroom", **LIMITS)
    done = cli.run("keys", "edit", "newsroom", "--limit", "$7.5", "--name", "desk", "--disable")
    assert (done.returncode, done.stdout) == (0, "")
    assert "changed the key 'desk'" in done.stderr
    (key,) = listed(cli)
    assert (key["limit"], key["limit_reset"], key["disabled"]) == (7.5, "monthly", True)
    assert (key["voxgate"]["limit_minutes"], key["voxgate"]["state"]) == (600, "disabled")
    removed = ("--limit", "--limit-minutes", "--expires", "--model", "--rate", "--recordings")
    none = [word for option in removed for word in (option, "none")]
    assert cli.run("keys", "edit", "desk", *none, "--enable").returncode == 0
    (plain,) = known(cli)
    assert (plain.budget, plain.state) == (None, "valid")
    assert not any(getattr(plain, name, None) for name in LIMITS)


def test_a_page_as_json_is_what_the_api_has(cli: CliRunner) -> None:
    made(cli, "newsroom", **LIMITS)
    (key,) = listed(cli)
    assert json.loads(cli.run("keys", "show", "newsroom", "--json").stdout) == key
    assert (key["limit_remaining"], key["voxgate"]["limit_minutes_remaining"]) == (5, 600)
    cli.run("keys", "revoke", "newsroom")
    revoked = json.loads(cli.run("keys", "show", "newsroom", "--json").stdout)
    assert (revoked["voxgate"]["state"], revoked["hash"]) == ("revoked", key["hash"])
    assert revoked["revoked_at"]


def test_no_key_yet(cli: CliRunner) -> None:
    done = cli.run("keys", "list")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert "`voxgate keys create --name NAME`" in done.stderr
    assert listed(cli) == []


def test_revoking(cli: CliRunner) -> None:
    secret = made(cli, "laptop")
    done = cli.run("keys", "revoke", "laptop")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"revoked the key 'laptop' ({secret[:9]}...{secret[-4:]})" in done.stderr
    again = cli.run("keys", "revoke", secret)
    assert again.returncode == 2
    assert "already revoked" in again.stderr
    assert secret not in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("create",), 2, "--name"),
        (("create", "--name", ""), 2, "1 to 100 printable characters"),
        (("create", "--name", "a\nb"), 2, "1 to 100 printable characters"),
        (("create", "--name", "taken"), 2, "'taken' already"),
        (("create", "--name", "a", "--limit", "-1"), 2, "'--limit' is '-1', and must be dollars"),
        (("create", "--name", "a", "--management", "--rate", "1"), 2, "does not transcribe"),
        (("edit", "taken"), 2, "No option says what should change"),
        (("show", "nobody"), 1, "No key is called 'nobody'"),
        (("revoke",), 2, "WHAT"),
        (("revoke", "nobody"), 1, "No key is called 'nobody'"),
        (("revoke", "\x1b[31m"), 1, "\\x1b[31m"),
        (("revoke", "\udcff"), 1, "No key is called"),
    ],
)
def test_what_goes_wrong(cli: CliRunner, arguments: tuple[str, ...], code: int, says: str) -> None:
    made(cli, "taken")
    done = cli.run("keys", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [(key.name, key.revoked_at) for key in known(cli)] == [("taken", None)]


def test_help_says_what_there_is(cli: CliRunner) -> None:
    done = cli.run("keys", "--help")
    assert done.returncode == 0
    for command in ("create", "list", "show", "edit", "revoke"):
        assert command in done.stdout


def test_a_key_that_could_not_be_written_is_revoked(cli: CliRunner) -> None:
    with Path("/dev/full").open("wb") as full:
        done = cli.run("keys", "create", "--name", "laptop", stdout=full)
    assert done.returncode == 1
    assert "Standard output cannot be written" in done.stderr
    assert "created the key" not in done.stderr
    (key,) = known(cli)
    assert key.revoked_at


def test_a_closed_standard_output_is_reported_before_a_key_is_created(cli: CliRunner) -> None:
    done = cli.run("keys", "create", "--name", "laptop", preexec=lambda: os.close(1))
    assert done.returncode == 1
    assert "Standard output is closed" in done.stderr
    assert known(cli) == []


def test_a_disk_that_is_full(cli: CliRunner) -> None:
    before = on_small_disk(cli.folder / "home", kib=64, fill=60)
    done = cli.run("keys", "create", "--name", "laptop", before=before)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "ledger.sqlite3 cannot be used: " in line
    assert "disk" in line


def test_a_home_without_rights(cli: CliRunner) -> None:
    home = cli.folder / "home"
    home.mkdir(mode=0o500)
    done = cli.run("keys", "list", preexec=drop_permission_override)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Permission denied. Give this user permission to write" in done.stderr


def test_a_ledger_of_a_newer_version(cli: CliRunner) -> None:
    made(cli, "laptop")
    with closing(sqlite3.connect(cli.folder / "home" / LEDGER_FILE)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0099'")
    done = cli.run("keys", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert "newer version of Voxgate" in done.stderr


def test_transcripts_are_kept_only_where_they_can_be_encrypted(cli: CliRunner) -> None:
    keeping = ("keys", "create", "--name", "newsroom", "--keep-transcripts", "30")
    refused = cli.run(*keeping)
    assert refused.returncode == 2
    assert "VOXGATE_TRANSCRIPT_KEY to what `openssl rand -base64 32` prints" in refused.stderr
    assert known(cli) == []
    secret = b64encode(b"s" * 32).decode()
    done = cli.run(*keeping, VOXGATE_TRANSCRIPT_KEY=secret)
    assert done.returncode == 0
    assert secret not in done.stdout + done.stderr
    assert known(cli)[0].keep_transcripts_days == 30
    assert "keeps transcripts\t30 d\n" in cli.run("keys", "show", "newsroom").stdout
    again = cli.run("keys", "edit", "newsroom", "--keep-transcripts", "7")
    assert again.returncode == 2
    assert cli.run("keys", "edit", "newsroom", "--keep-transcripts", "none").returncode == 0
    assert known(cli)[0].keep_transcripts_days is None


def test_keys_are_listed_by_their_labels(cli: CliRunner) -> None:
    labels = ("--label", "team=news", "--label", "night")
    assert cli.run("keys", "create", "--name", "newsroom", *labels).returncode == 0
    made(cli, "desk", labels=["team=sports"])
    assert known(cli)[0].labels == ("team=news", "night")
    lines = cli.run("keys", "list", "--label", "night").stdout.splitlines()
    assert [line.partition("\t")[0] for line in lines] == ["name", "newsroom"]
    assert "labels\tteam=news, night\n" in cli.run("keys", "show", "newsroom").stdout
    assert "no key has the label 'nights'" in cli.run("keys", "list", "--label", "nights").stderr
    assert cli.run("keys", "edit", "newsroom", "--label", "none").returncode == 0
    assert known(cli)[0].labels == ()
