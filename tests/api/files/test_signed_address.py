from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest

from tests.failures import raises
from voxgate.api.files.signed_address import AddressSigner
from voxgate.remote.recording_url import RecordingUrl

if TYPE_CHECKING:
    from pathlib import Path

ID = str(uuid4())
LATER = int(time.time()) + 3600


def url(query: str, path: str = f"/v1/files/{ID}/content") -> RecordingUrl:
    return RecordingUrl.parse(f"https://example.org{path}?{query}")


def test_what_is_signed_is_known_again(tmp_path: Path) -> None:
    query = AddressSigner(tmp_path / "secret").query(ID, LATER)
    after_a_restart = AddressSigner(tmp_path / "secret")
    assert after_a_restart.is_signed(ID, dict(parse_qsl(query)))
    assert after_a_restart.signed_file(url(query)) == ID
    assert after_a_restart.signed_file(url(query, f"/a/b/v1/files/{ID}/content/")) == ID
    assert not AddressSigner(tmp_path / "other").is_signed(ID, dict(parse_qsl(query)))
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "secret"]


def test_what_is_not_signed(tmp_path: Path) -> None:
    signer = AddressSigner(tmp_path / "secret")
    query = signer.query(ID, LATER)
    signature = dict(parse_qsl(query))["signature"]
    for wrong in (
        *("", "expires=1", f"signature={signature}", f"expires=&signature={signature}"),
        f"expires={LATER + 1}&signature={signature}",
        f"expires=%2B{LATER}&signature={signature}",
        f"expires={LATER}&signature={signature.upper()}",
        f"expires={LATER}&signature=%C3%BC",
    ):
        assert signer.signed_file(url(wrong)) is None
        assert not signer.is_signed(ID, dict(parse_qsl(wrong)))
    assert not signer.is_signed(ID, {"expires": "\ud800", "signature": "\ud800"})
    for path in (f"/v1/files/{uuid4()}/content", f"/v1/files/{ID}", "/v1/files/x/content", "/"):
        assert signer.signed_file(url(query, path)) is None


def test_an_address_expires(tmp_path: Path) -> None:
    signer = AddressSigner(tmp_path / "secret")
    with raises("url_refused", match="expired"):
        signer.signed_file(url(signer.query(ID, int(time.time()))))


def test_of_secrets_that_are_created_at_once_one_wins(tmp_path: Path) -> None:
    def query(_: int) -> str:
        return AddressSigner(tmp_path / "secret").query(ID, LATER)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(query, range(32)))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("size", [0, 31])
def test_a_secret_that_is_cut_off_is_refused(tmp_path: Path, size: int) -> None:
    """An empty one would let everybody sign."""
    (tmp_path / "secret").write_bytes(bytes(size))
    with raises("ledger_failed", match="secret"):
        AddressSigner(tmp_path / "secret").query(ID, LATER)
