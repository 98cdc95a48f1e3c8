from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.failures import raises
from tests.ledger.other_process import sql
from voxgate.errors import LedgerError, VoxgateError
from voxgate.ledger import files
from voxgate.ledger.columns import utc_now
from voxgate.ledger.files import KeptFile
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.schema import files_table

HOUR = timedelta(hours=1)


def kept(key_hash: str | None = None, **changes: Any) -> KeptFile:
    file = KeptFile(
        str(uuid4()), key_hash, "a.wav", "audio/wav", 10, "0" * 64, utc_now() + HOUR, utc_now()
    )
    return replace(file, **changes)


async def add(ledger: Ledger, key_hash: str | None = None, **changes: Any) -> KeptFile:
    file = kept(key_hash, **changes)
    await ledger.files.add(file, lambda _: None)
    return file


def test_fields_match_the_columns_of_the_table() -> None:
    assert {field.name for field in fields(KeptFile)} == set(files_table.c.keys())


async def test_a_file_is_its_keys_alone(ledger: Ledger) -> None:
    first, second = [(await ledger.keys.create(name))[0] for name in ("first", "second")]
    file = await add(ledger, first.hash, name="a 'quoted' \u65e5\u672c.wav")
    assert await ledger.files.find(file.id, first.hash) == file
    for other in (second.hash, None):
        assert await ledger.files.find(file.id, other) is None
        assert not await ledger.files.remove(file.id, other)
        assert await ledger.files.page(other, 0, 10) == ([], 0)
        assert await ledger.files.size(other) == 0
    assert await ledger.files.size(first.hash) == 10
    for near in (file.id.upper(), f"{file.id}0", "", "%"):
        assert await ledger.files.find(near, first.hash) is None
    assert await ledger.files.remove(file.id, first.hash)
    assert not await ledger.files.remove(file.id, first.hash)
    with pytest.raises(LedgerError):
        await add(ledger, "f" * 64)  # no key of this ledger


async def test_a_shared_file_is_gone_with_its_key(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("one")
    owned, free = await add(ledger, key.hash), await add(ledger)
    assert await ledger.files.find_shared(owned.id) == owned
    await ledger.keys.revoke("one")
    assert await ledger.files.find_shared(owned.id) is None
    assert await ledger.files.find_shared(free.id) == free


async def test_an_expired_file_does_not_count(ledger: Ledger) -> None:
    gone, left = await add(ledger, expires_at=utc_now() - HOUR), await add(ledger)
    assert await ledger.files.find(gone.id, None) is None
    assert await ledger.files.find_shared(gone.id) is None
    assert not await ledger.files.remove(gone.id, None)
    assert await ledger.files.size(None) == 10
    assert await ledger.files.page(None, 0, 10) == ([left], 1)
    assert await ledger.files.exists(gone.id)
    assert await ledger.files.remove_expired() == [gone.id]
    assert not await ledger.files.exists(gone.id)
    assert await ledger.files.remove_expired() == []


async def test_limits(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def at_most_25(size: int) -> VoxgateError | None:
        return VoxgateError(f"{size}", code="payload_too_large") if size > 25 else None

    for _ in range(2):
        await ledger.files.add(kept(), at_most_25)
    with raises("payload_too_large", match="30"):
        await ledger.files.add(kept(), at_most_25)
    await ledger.files.add(kept(size=5), at_most_25)
    monkeypatch.setattr(files, "MOST_FILES", 3)
    with raises("payload_too_large", match="keeps 3 files"):
        await add(ledger)
    assert (await ledger.files.page(None, 0, 10)).total == 3


async def test_pages(sqlite_ledger: Ledger, path: Path) -> None:
    made = [
        await add(sqlite_ledger, name=name, media_type=kind, created_at=utc_now() + n * HOUR)
        for n, (name, kind) in enumerate(
            [("a_b.wav", "audio/wav"), ("AxB.mp3", "audio/mpeg"), ("100%.wav", None)]
        )
    ]
    newest = made[::-1]
    assert await sqlite_ledger.files.page(None, 0, 2) == (newest[:2], 3)
    assert await sqlite_ledger.files.page(None, 2, 2) == (newest[2:], 3)
    assert await sqlite_ledger.files.page(None, 10**9, 1000) == ([], 3)
    assert await sqlite_ledger.files.page(None, 0, 9, search="A_") == ([made[0]], 1)
    assert await sqlite_ledger.files.page(None, 0, 9, search="%") == ([made[2]], 1)
    assert await sqlite_ledger.files.page(None, 0, 9, search="XB") == ([made[1]], 1)
    wav = await sqlite_ledger.files.page(None, 0, 9, media_types=["audio/wav", "x"])
    assert wav == ([made[0]], 1)
    assert await sqlite_ledger.files.page(None, 0, 9, media_types=[]) == ([], 0)
    assert sql(path, "SELECT count(*) FROM files") == [(3,)]
