from __future__ import annotations

import io
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.failures import raises
from tests.processes import until
from voxgate.api.body.request_body import Upload
from voxgate.api.files import store
from voxgate.api.files.folder import FileFolder
from voxgate.api.files.store import FileStore
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger
from voxgate.remote.recording_url import RecordingUrl
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HASH = "0" * 64


@asynccontextmanager
async def opened(home: Path, **settings: Any) -> AsyncIterator[tuple[FileStore, Ledger]]:
    chosen = replace(Settings(), home=home, **{"keep_files": True, **settings})
    async with await Ledger.open(home / LEDGER_FILE) as ledger:
        yield FileStore(chosen, ledger.files), ledger


def upload(data: bytes = b"sound", name: str | None = "a.wav") -> Upload:
    return Upload(io.BytesIO(data), len(data), HASH, name)


def names(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "files").iterdir())


async def test_what_nobody_lists_or_writes_is_deleted_at_the_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as (files, _):
        kept = await files.keep(upload(), None)
        (tmp_path / "files" / str(uuid4())).write_bytes(b"half of what was be")
        async with FileFolder(tmp_path / "files").written(io.BytesIO(b"another server's")) as new:
            async with files.swept():
                assert names(tmp_path) == sorted([kept.id, new])
            with files.open(await files.find(kept.id, None)) as opened_file:
                assert opened_file.file.read() == b"sound"


async def test_what_others_put_there_stays(tmp_path: Path) -> None:
    """A home may be a folder that had one called `files` before."""
    (tmp_path / "files" / "talks").mkdir(parents=True)
    (tmp_path / "files" / "talk.wav").write_bytes(b"somebody's")
    async with opened(tmp_path, keep_files=False) as (files, _), files.swept():
        assert names(tmp_path) == ["talk.wav", "talks"]


async def test_what_expires_is_deleted_while_the_server_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nothing is kept any more."""
    monkeypatch.setattr(store, "SWEEP_S", 0.05)
    async with opened(tmp_path, kept_s=1.0) as (files, _):
        await files.keep(upload(), None)
    async with opened(tmp_path, keep_files=False) as (files, _), files.swept():
        assert len(names(tmp_path)) == 1
        await until(lambda: not names(tmp_path), "the end of the file")


async def test_a_sweep_that_fails_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "SWEEP_S", 0.02)
    async with opened(tmp_path) as (files, ledger), files.swept():
        await ledger.aclose()
        await until(lambda: len(caplog.records) > 1, "two warnings")
    assert "expired files could not be deleted" in caplog.text


async def test_a_file_whose_bytes_are_gone_is_not_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as (files, _):
        kept = await files.keep(upload(), None)
        (tmp_path / "files" / kept.id).unlink()
        with raises("not_found", match=kept.id):
            await files.open_named(kept.id, None, None)
        await files.delete(kept.id, None)


async def test_an_address_ends_with_the_key_of_its_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as (files, ledger):
        key, _ = await ledger.keys.create("one")
        kept = await files.keep(upload(), key.hash)
        query = files.signer.query(kept.id, int(kept.expires_at.timestamp()))
        url = RecordingUrl.parse(f"http://127.0.0.1/v1/files/{kept.id}/content?{query}")
        found = await files.open_named(None, url, None)
        assert found is not None
        with found:
            assert found.name == "a.wav"
        await ledger.keys.revoke("one")
        with raises("not_found"):
            await files.open_named(None, url, None)
    async with opened(tmp_path, keep_files=False) as (files, _):
        assert await files.open_named(None, url, None) is None


@pytest.mark.parametrize(
    ("setting_s", "hours", "kept_s"),
    [(7200.0, None, 7200), (7200.0, 1, 3600), (7200.0, 48, 7200), (float("inf"), 1, 3600)],
)
async def test_how_long_a_file_is_kept(
    tmp_path: Path, setting_s: float, hours: int | None, kept_s: int
) -> None:
    async with opened(tmp_path, kept_s=setting_s) as (files, _):
        kept = await files.keep(upload(name=None), None, hours)
        assert (kept.expires_at - kept.created_at).total_seconds() == kept_s
        assert kept.name == "recording"
        for_ever = await files.keep(upload(), None)
        assert for_ever.expires_at.year < 9999
