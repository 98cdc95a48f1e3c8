"""Decoders and engines, which read what strangers sent, have no secret in their memory."""

from __future__ import annotations

import os
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.material import MODEL
from tests.processes import children
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.child_environment import child_environment
from voxgate.providers.local import LocalEngine
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

TRANSCRIPT_KEY = os.urandom(32)
DATABASE_URL = f"postgresql://voxgate:{os.urandom(16).hex()}@127.0.0.1/voxgate"
PROVIDER_KEY = f"gsk_{os.urandom(16).hex()}"
SECRETS = (
    *(TRANSCRIPT_KEY, b64encode(TRANSCRIPT_KEY), DATABASE_URL.encode()),
    PROVIDER_KEY.encode(),
)
CHUNK_BYTES = 2**20


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a home whose file has both secrets, and the environment two keys."""
    (tmp_path / "voxgate.toml").write_text(
        f'database_url = "{DATABASE_URL}"\n'
        f'transcript_key = ["{b64encode(TRANSCRIPT_KEY).decode()}"]\n'
        f'log_format = "json"\n'
        f'[[providers]]\nname = "openai"\nkind = "openai"\nkeys = ["env:KEY_OF_OPENAI"]\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("VOXGATE_HOME", str(tmp_path))
    monkeypatch.setenv("VOXGATE_KEY", SECRETS[1].decode())
    monkeypatch.setenv("KEY_OF_OPENAI", PROVIDER_KEY)
    settings = Settings.read()
    assert (settings.transcript_key, settings.database_url) == ((TRANSCRIPT_KEY,), DATABASE_URL)
    return settings


def memory(pid: int) -> Iterator[bytes]:
    """Yield what a process has written, in pieces that overlap; its environment is among it."""
    overlap = max(map(len, SECRETS))
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
            addresses, access, *_ = line.split()
            if not access.startswith("rw"):
                continue
            start, end = (int(address, 16) for address in addresses.split("-"))
            for at in range(start, end, CHUNK_BYTES):
                file.seek(at)
                try:
                    yield file.read(min(CHUNK_BYTES + overlap, end - at))
                except OSError:  # pages that only the kernel may read
                    break


def knows_a_secret(pid: int) -> bool:
    return any(secret in piece for piece in memory(pid) for secret in SECRETS)


async def test_an_engine_knows_no_secret(settings: Settings) -> None:
    engine = LocalEngine(MODEL, settings)
    try:
        await engine.warm()
        assert engine.pid is not None
        assert not knows_a_secret(engine.pid)
    finally:
        await engine.aclose()


async def test_a_decoder_knows_no_secret(settings: Settings) -> None:
    async with DecoderPool(settings) as decoders:
        server = await decoders.warm()
        for pid in (server, *children(server)):
            assert not knows_a_secret(pid)


def test_the_process_that_reads_the_file_knows_them(settings: Settings) -> None:
    """The search above finds what is there."""
    assert settings.transcript_key
    assert knows_a_secret(os.getpid())


def test_a_child_reads_the_settings_of_its_parent(settings: Settings) -> None:
    child = Settings.read(child_environment(replace(settings, kernels="avx2", threads=3)))
    assert (child.home, child.log_format) == (settings.home, "json")
    assert (child.kernels, child.threads) == ("avx2", 3)
    assert (child.transcript_key, child.database_url) == ((), "")
