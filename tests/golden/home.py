"""An old home: keys, generations, an installed model and settings, as former code wrote them."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import tarfile
from typing import TYPE_CHECKING, Any

from tests.api.serving import recording, served
from tests.cli.command import CliRunner, clip, isolated_cli, write_wav
from tests.golden import checkpoint
from tests.golden.cases import DATA, Case, case
from tests.golden.commands import parsed, run_all

if TYPE_CHECKING:
    from pathlib import Path

HOME = DATA / "home"
BUNDLE = DATA / "tiny.voxgate"
KNOWN = DATA / "home.known.json"
MODEL = "acme/tiny"
LEDGER = "ledger.sqlite3"
POST = "/audio/transcriptions"
WHISPER = "Systran/faster-whisper-base"
PERIODS = ("_daily", "_weekly", "_monthly")
CONFIG = '# Settings of an old home.\nmax_decoders = 3\nwhile_loading = "refuse"\n'


def write(folder: Path) -> None:
    """Make a home with the present code and keep it: only when the format is meant to change."""
    with isolated_cli(folder, installed=False) as cli:
        known = asyncio.run(_lived(cli))
        source = checkpoint.write(folder / "tiny", width=16, texts=64)
        for call in (
            ("models", "add", source, "--name", MODEL),
            ("models", "export", MODEL, folder / "bundle"),
            ("models", "rm", MODEL),
            ("models", "import", folder / "bundle"),
        ):
            done = cli.run(*call)
            assert done.returncode == 0, done.stderr
        home = folder / "home"
        with sqlite3.connect(home / LEDGER) as ledger:
            ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ledger.close()
        (home / "voxgate.toml").write_text(CONFIG, "utf-8")
        shutil.rmtree(HOME, ignore_errors=True)
        shutil.copytree(
            home, HOME, ignore=shutil.ignore_patterns("run", ".*", "*-wal", "*-shm", "Systran")
        )
        shutil.copyfile(folder / "bundle", BUNDLE)
        KNOWN.write_text(json.dumps(known, indent=1) + "\n", "utf-8")


async def _lived(cli: CliRunner) -> dict[str, Any]:
    """Make keys and generations: one that succeeds, one whose recording is no sound."""
    keys = {
        name: cli.run("keys", "create", "--name", name).stdout.strip() for name in ("alice", "bob")
    }
    assert cli.run("keys", "revoke", "bob").returncode == 0
    wav = write_wav(cli.folder / "clip.wav", clip()).read_bytes()
    ids = []
    async with served(cli) as server:
        for sound in (wav, b"This is a text and no sound."):
            body = recording(sound, model=WHISPER, user="user", session_id="session")
            headers = _bearer(keys["alice"]) | {"HTTP-Referer": "https://a.example"}
            answer = await server.client.post(POST, json=body, headers=headers)
            ids.append(answer.headers["x-generation-id"])
        assert await server.end() == 0
    return {"keys": keys, "generations": ids}


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def collect(folder: Path) -> dict[str, Case]:
    """Open a copy of the old home with the present code, then make a new one beside it."""
    known = json.loads(KNOWN.read_text("utf-8"))
    (folder / "new").mkdir()
    with isolated_cli(folder, installed=False) as cli:
        _copy(folder / "home")
        found = _listed(cli)
        found |= asyncio.run(_served(cli, known))
        found["old ledger's schema"] = Case(_schema(folder / "home"))
        removed = cli.run("models", "rm", MODEL)
        left = sorted(path.name for path in (folder / "home" / "models" / "acme").iterdir())
        found["removed"] = case({"code": removed.returncode, "left": left, "prose": removed.stderr})
    with isolated_cli(folder / "new", installed=False) as cli:
        return found | _fresh(cli)


def _copy(home: Path) -> None:
    """Copy the old home; a checkout does not keep the times that a record knows its files by."""
    shutil.copytree(HOME, home)
    record = json.loads((home / "models" / f"{MODEL}.json").read_text("utf-8"))
    for entry in record["files"]:
        path = home / "models" / record["folder"] / entry["name"]
        os.utime(path, ns=(entry["mtime_ns"], entry["mtime_ns"]))


def _listed(cli: CliRunner) -> dict[str, Case]:
    """What the commands say of the old home. Times and hashes are those that lie there."""
    calls: dict[str, tuple[str, ...]] = {
        "keys": ("keys", "list", "--json"),
        "models": ("models", "list"),
        "models json": ("models", "list", "--json"),
        "show": ("models", "show", MODEL),
        "verify": ("models", "show", MODEL, "--verify", "--json"),
        "export": ("models", "export", MODEL, "exported"),
    }
    found = {}
    for (name, _), done in zip(calls.items(), run_all(cli, list(calls.values())), strict=True):
        stdout = _without_periods(parsed(done.stdout))
        value = {"code": done.returncode, "stdout": stdout, "prose": done.stderr}
        found[name] = case(value, {str(cli.folder): "<folder>"}, numbers=set(), volatile=False)
    exported = (cli.folder / "exported").read_bytes()
    with tarfile.open(cli.folder / "exported") as tar:
        members = [(m.name, m.size, m.mode, m.mtime) for m in tar]
    found["exported"] = Case([exported == BUNDLE.read_bytes(), len(exported), members])
    return found


def _without_periods(value: Any) -> Any:
    """Return a value without the sums of this day, week and month: the old home's are long past."""
    if isinstance(value, dict):
        kept = {name: _without_periods(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if not name.endswith(PERIODS)}
    return [_without_periods(each) for each in value] if isinstance(value, list) else value


async def _served(cli: CliRunner, known: dict[str, Any]) -> dict[str, Case]:
    """What a server on the old home answers: keys, generations, models, and `while_loading`."""
    found: dict[str, Case] = {}
    async with served(cli) as server:
        for id_ in known["generations"]:
            headers = _bearer(known["keys"]["alice"])
            answer = await server.client.get("/generation", params={"id": id_}, headers=headers)
            name = f"generation {len(found)}"
            found[name] = case([answer.status_code, answer.json()], numbers=set(), volatile=False)
        body = recording(b"", model=WHISPER)
        for name, key in known["keys"].items():
            answer = await server.client.post(POST, json=body, headers=_bearer(key))
            found[f"key of {name}"] = case([answer.status_code, answer.json()])
        answer = await server.client.get(f"/models/{MODEL}")
        found["model in the API"] = case([answer.status_code, answer.json()])
        assert server.key == ""  # there are keys already
        assert await server.end() == 0
    return found


def _fresh(cli: CliRunner) -> dict[str, Case]:
    """Import the old bundle into a new home, and make a new ledger."""
    imported = cli.run("models", "import", BUNDLE)
    models = cli.folder / "home" / "models"
    record = json.loads((models / f"{MODEL}.json").read_text("utf-8"))
    found = {
        "import": case(
            {"code": imported.returncode, "prose": imported.stderr}, {str(cli.folder): "<folder>"}
        ),
        "imported record": case(record, numbers={"mtime_ns"}),
        "imported files": Case(_tree(models)),
        "verify imported": Case(cli.run("models", "show", MODEL, "--verify").returncode),
    }
    cli.run("keys", "list")
    found["new ledger's schema"] = Case(_schema(cli.folder / "home"))
    found["new home"] = Case(_tree(cli.folder / "home"))
    return found


def _tree(folder: Path) -> list[str]:
    """Every file with its mode."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [f"{path.relative_to(folder)} {path.stat().st_mode & 0o777:o}" for path in paths]


def _schema(home: Path) -> list[str]:
    """The tables and indices, and which migrations have run."""
    ledger = sqlite3.connect(home / LEDGER)
    rows = ledger.execute(
        "SELECT type, name, sql FROM sqlite_master ORDER BY type, name"
    ).fetchall()
    version = ledger.execute("SELECT * FROM alembic_version").fetchall()
    ledger.close()
    return [
        *(f"{kind} {name}: {' '.join((sql or '').split())}" for kind, name, sql in rows),
        str(version),
    ]
