"""Kept recordings through a real server: Mistral's `/files`, and requests that name them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit
from uuid import UUID, uuid4

import httpx2
import pytest
import pytest_asyncio

from tests.api.serving import (
    SCRIPTED,
    Gate,
    Running,
    error_of,
    open_below,
    served,
    serving,
    spool_files,
)
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import SAMPLE
from tests.websites import PUBLIC_HOST
from voxgate.api.files.signed_address import AddressSigner
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.cli.command import CliRunner

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOUND = SAMPLE.read_bytes()
AUDIO = {"purpose": "audio"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(tmp_path_factory.mktemp("server"), keep_files=True) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stranger(server: Running) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller with another key."""
    async with (
        await Ledger.open(server.settings.home / LEDGER_FILE) as ledger,
        httpx2.AsyncClient(base_url=f"{server.url}/v1") as client,
    ):
        _, secret = await ledger.keys.create("stranger")
        client.headers["Authorization"] = f"Bearer {secret}"
        yield client


async def keep(
    server: Running,
    data: bytes = SOUND,
    name: str = "note.flac",
    kind: str = "audio/flac",
    **fields: Any,
) -> httpx2.Response:
    files = {"file": (name, data, kind)}
    return await server.client.post("/files", data=AUDIO | fields, files=files)


async def kept(server: Running, data: bytes = SOUND, **options: Any) -> dict[str, Any]:
    answer = await keep(server, data, **options)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def transcribe(server: Running, **fields: Any) -> httpx2.Response:
    """As Mistral's client: urlencoded, without a file."""
    fields = {"model": SCRIPTED, **fields}
    return await server.client.post("/audio/transcriptions", data=fields)


def folder(server: Running) -> set[str]:
    place = server.settings.home / "files"
    return {path.name for path in place.iterdir()} if place.exists() else set()


def kept_files_open(server: Running) -> int:
    return open_below(server.settings.home / "files")


async def begin_upload(
    url: str, key: str, length: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send the beginning of a form of this length, up to its file."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    head = (
        f"POST /v1/files HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    writer.write(head.encode())
    return reader, writer


async def test_a_file_is_kept_told_of_served_and_deleted(server: Running) -> None:
    told = await kept(server, visibility="workspace")
    assert str(UUID(told["id"])) == told["id"]
    assert told["expires_at"] - told["created_at"] == server.settings.kept_s
    assert told == {
        **told,
        "object": "file",
        "bytes": len(SOUND),
        "filename": "note.flac",
        "purpose": "audio",
        "sample_type": "instruct",
        "source": "upload",
        "mimetype": "audio/flac",
    }
    path = f"/files/{told['id']}"
    assert (await server.client.get(path)).json() == {**told, "deleted": False}
    listed = (await server.client.get("/files")).json()
    assert (listed["object"], listed["data"][0]) == ("list", told)
    assert listed["total"] == len(listed["data"])
    content = await server.client.get(f"{path}/content")
    assert content.content == SOUND
    assert content.headers["content-type"] == "application/octet-stream"
    assert content.headers["x-content-type-options"] == "nosniff"
    assert content.headers["content-disposition"] == "attachment; filename*=UTF-8''note.flac"
    head = await server.client.head(f"{path}/content")
    assert head.headers["content-length"] == str(len(SOUND))
    assert (server.settings.home / "files" / told["id"]).stat().st_mode & 0o777 == 0o600
    gone = {"id": told["id"], "object": "file", "deleted": True}
    assert (await server.client.delete(path)).json() == gone
    assert told["id"] not in folder(server)
    for method, at in (("GET", path), ("GET", f"{path}/content"), ("DELETE", path)):
        assert error_of(await server.client.request(method, at))["code"] == 404
    assert spool_files(server) == 0


async def test_a_request_names_a_kept_file(server: Running) -> None:
    told = await kept(server)
    plain = (await transcribe(server, file_id=told["id"])).json()
    assert plain["text"].startswith("from 0.")
    body = {"model": SCRIPTED, "file_id": told["id"], "stream": True}
    streamed = await server.client.post("/audio/transcriptions", json=body)
    assert json.loads(streamed.text.split("\n\n")[-3][6:])["text"] == plain["text"]
    empty = {"file": ("", b"", "application/octet-stream")}
    form = {"model": SCRIPTED, "file_id": told["id"]}
    answer = await server.client.post("/audio/transcriptions", data=form, files=empty)
    assert answer.json()["text"] == plain["text"]
    assert spool_files(server) == 0


async def test_a_file_that_is_deleted_is_read_to_its_end(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, Scripted(gate=gate), keep_files=True) as server:
        told = await kept(server)
        answer = asyncio.create_task(transcribe(server, file_id=told["id"]))
        await until(lambda: server.provider.running == 1, "the provider's work")
        assert (await server.client.delete(f"/files/{told['id']}")).status_code == 200
        gate.open.set()
        assert (await answer).json()["text"].startswith("from 0.")
        assert error_of(await transcribe(server, file_id=told["id"]))["code"] == 404


async def test_a_headerless_file(server: Running) -> None:
    pcm = bytes(2 * 16_000 * 3)
    for options in ({"name": "a.PCM"}, {"kind": "audio/pcm"}):
        told = await kept(server, pcm, **options)
        assert (await transcribe(server, file_id=told["id"])).json()["usage"]["seconds"] == 3


async def test_another_key_finds_nothing(server: Running, stranger: httpx2.AsyncClient) -> None:
    told = await kept(server)
    assert (await stranger.get("/files")).json() == {"object": "list", "data": [], "total": 0}
    path = f"/files/{told['id']}"
    never = f"/files/{uuid4()}"
    for method, end in (("GET", ""), ("GET", "/content"), ("GET", "/url"), ("DELETE", "")):
        refused = error_of(await stranger.request(method, path + end))
        other = error_of(await stranger.request(method, never + end))
        assert (refused["code"], refused["metadata"]) == (404, other["metadata"])
    body = {"model": SCRIPTED, "file_id": told["id"]}
    answer = await stranger.post("/audio/transcriptions", json=body)
    assert error_of(answer)["code"] == 404
    assert (await server.client.get(path)).status_code == 200
    stranger_without = {"Authorization": ""}
    for end in ("", "/content", "/url"):
        assert error_of(await stranger.get(path + end, headers=stranger_without))["code"] == 401


async def test_a_signed_address_needs_no_key(server: Running) -> None:
    told = await kept(server, name="talk about Zürich.flac")
    for base in (f"{server.url}/v1", f"{server.url}/api/v1"):
        answer = await server.client.get(f"{base}/files/{told['id']}/url")
        url = answer.json()["url"]
        assert url.startswith(f"{base}/files/{told['id']}/content?")
    query = dict(parse_qsl(urlsplit(url).query))
    assert int(query["expires"]) == told["expires_at"]
    async with httpx2.AsyncClient() as anyone:
        content = await anyone.get(url)
        assert content.content == SOUND
        assert "Z%C3%BCrich" in content.headers["content-disposition"]
        other = await kept(server)
        for wrong in (
            url.replace(told["id"], other["id"]),
            url.replace(query["expires"], f"{int(query['expires']) + 1}"),
            url[:-1] + ("0" if url[-1] != "0" else "1"),
            url.split("&signature")[0] + "&signature=%ff",
        ):
            assert error_of(await anyone.get(wrong))["code"] == 403
        await server.client.delete(f"/files/{told['id']}")
        assert error_of(await anyone.get(url))["code"] == 404


async def test_a_signed_address_is_read_without_a_connection(
    server: Running, stranger: httpx2.AsyncClient
) -> None:
    """This server fetches from nowhere, and takes its own addresses under any name of itself."""
    told = await kept(server)
    url = (await server.client.get(f"/files/{told['id']}/url?expiry=1")).json()["url"]
    outside = url.replace(server.url, "https://voxgate.example.org/speech")
    for address in (url, outside):
        plain = await transcribe(server, file_url=address)
        assert plain.json()["text"].startswith("from 0."), plain.text
        audio = {"model": SCRIPTED, "input_audio": {"url": address}}
        shared = await stranger.post("/audio/transcriptions", json=audio)
        assert shared.json()["text"].startswith("from 0.")
    for changed in (f"{url[:-4]}0000", url.replace("expires=", "expires=1"), url.split("?")[0]):
        forged = error_of(await transcribe(server, file_url=changed))
        assert forged["metadata"]["code"] == "permission_denied"
        assert "change nothing in it" in forged["message"]
    strange = error_of(await transcribe(server, file_url=url.replace(told["id"], str(uuid4()))))
    assert strange["metadata"]["code"] == "url_refused"
    assert "VOXGATE_URL_ALLOW" in strange["message"]
    await server.client.delete(f"/files/{told['id']}")
    assert error_of(await transcribe(server, file_url=url))["code"] == 404


async def test_an_address_that_has_expired(tmp_path: Path) -> None:
    async with serving(tmp_path, keep_files=True, url_allow=(PUBLIC_HOST,)) as server:
        told = await kept(server)
        assert (await server.client.get(f"/files/{told['id']}/url")).status_code == 200
        signer = AddressSigner(server.settings.home / "files.secret")
        path = f"{server.url}/v1/files/{told['id']}/content?{signer.query(told['id'], 1_000_000)}"
        for answer in (
            await server.client.get(path),
            await transcribe(server, file_url=path),
        ):
            assert answer.status_code == 400
            assert "has expired" in error_of(answer)["message"]


async def test_pages_and_filters(tmp_path: Path) -> None:
    async with serving(tmp_path, keep_files=True) as server:
        for number, kind in enumerate(("audio/flac", "audio/wav", "audio/wav")):
            await kept(server, name=f"talk {number}.x", kind=kind)

        async def names(**query: Any) -> tuple[list[str], int | None]:
            body = (await server.client.get("/files", params=query)).json()
            return [each["filename"] for each in body["data"]], body.get("total")

        assert await names() == (["talk 2.x", "talk 1.x", "talk 0.x"], 3)
        assert await names(page=1, page_size=2) == (["talk 0.x"], 3)
        assert await names(page=1_000_000, page_size=1000) == ([], 3)
        assert await names(page_size=1, include_total=False) == (["talk 2.x"], None)
        assert await names(search="K 1") == (["talk 1.x"], 1)
        assert await names(mimetypes=["audio/wav", "x"]) == (["talk 2.x", "talk 1.x"], 2)
        for empty in ({"purpose": "batch"}, {"source": ["mistral"]}, {"sample_type": "x"}):
            assert await names(**empty) == ([], 0)
        same = {"purpose": "audio", "source": ["upload", "x"], "sample_type": ["instruct"]}
        assert (await names(**same))[1] == 3
        for name, value in (
            *(("page", "-1"), ("page", "1e9"), ("page", "9" * 400), ("page_size", "0")),
            *(("page_size", "1001"), ("page_size", "many"), ("search", "x" * 257)),
            *(("include_total", "perhaps"),),
        ):
            answer = await server.client.get("/files", params={name: value})
            assert f"'{name}'" in error_of(answer)["message"]
            assert answer.status_code == 400
        id_ = (await server.client.get("/files")).json()["data"][0]["id"]
        for expiry in ("0", "169", "-1", "x"):
            answer = await server.client.get(f"/files/{id_}/url", params={"expiry": expiry})
            assert "'expiry'" in error_of(answer)["message"]


async def test_bad_uploads(server: Running) -> None:
    before = folder(server)
    for fields, said in (
        ({"purpose": "fine-tune"}, "'purpose' should be 'audio'"),
        ({"purpose": ["audio", "batch"]}, "'purpose'"),
        ({"visibility": "world"}, "'visibility'"),
        ({"expiry": "0"}, "'expiry'"),
        ({"expiry": "1e99"}, "'expiry'"),
        ({"expires_after": "1"}, "'expires_after'"),
    ):
        answer = await keep(server, **fields)
        assert answer.status_code == 400
        assert said in error_of(answer)["message"]
    assert "is empty" in error_of(await keep(server, b""))["message"]
    no_file = await server.client.post("/files", files={"purpose": (None, "audio")})
    assert "the part 'file'" in error_of(no_file)["message"]
    for kind in ("application/json", "audio/wav", ""):
        headers = {"Content-Type": kind}
        answer = await server.client.post("/files", content=SOUND, headers=headers)
        assert error_of(answer)["code"] == 415
    assert folder(server) == before
    assert spool_files(server) == 0


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("../../etc/passwd.wav", "passwd.wav"),
        ("C:\\talks\\a.wav", "a.wav"),
        ("..", "recording"),
        ("a\u202ewav.exe", "awav.exe"),
        ("x" * 300 + ".wav", "x" * 251 + ".wav"),
    ],
)
async def test_names_of_files_are_no_paths(server: Running, sent: str, shown: str) -> None:
    told = await kept(server, name=sent)
    assert told["filename"] == shown
    assert (server.settings.home / "files" / told["id"]).is_file()


@pytest.mark.parametrize(
    "id_", ["x", "../files.secret", "%", "a" * 101, "gggggggg-0000-0000-0000-000000000000"]
)
async def test_ids_that_are_none(server: Running, id_: str) -> None:
    for end in ("", "/content", "/url"):
        answer = await server.client.get(f"/files/{quote(id_, safe='')}{end}")
        assert error_of(answer)["code"] == 404
    answer = await transcribe(server, file_id=id_)
    assert answer.status_code == (400 if len(id_) > 100 else 404)


async def test_an_id_of_a_megabyte(server: Running) -> None:
    huge = "x" * 10**6
    answer = await server.client.post(
        "/audio/transcriptions", json={"model": SCRIPTED, "file_id": huge}
    )
    assert "'file_id' is longer than 64 KiB" in error_of(answer)["message"]
    assert (await transcribe(server, file_id=huge)).status_code == 413


async def test_one_source_a_request(server: Running) -> None:
    told = await kept(server)
    both = {"model": SCRIPTED, "file_id": told["id"]}
    bodies: tuple[dict[str, Any], ...] = (
        {"data": both, "files": {"file": ("a.flac", SOUND)}},
        {"data": {**both, "file_url": "https://e.com/a"}},
        {"json": {**both, "input_audio": {"data": "AAAA"}}},
    )
    for options in bodies:
        answer = await server.client.post("/audio/transcriptions", **options)
        assert answer.status_code == 400
        assert "2 recordings" in error_of(answer)["message"]


async def test_nothing_is_kept_by_default(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        answers = [
            await keep(server),
            await transcribe(server, file_id=str(uuid4())),
            *[await server.client.get(f"/files{end}") for end in ("", "/a", "/a/content")],
            await server.client.get("/files/a/content?signature=0"),
            await server.client.delete("/files/a"),
        ]
        for answer in answers:
            assert answer.status_code == 400
            assert "VOXGATE_KEEP_FILES" in error_of(answer)["message"]
        assert not (server.settings.home / "files").exists()
        assert not (server.settings.home / "files.secret").exists()


async def test_a_caller_who_leaves_leaves_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, keep_files=True) as server:
        _, writer = await begin_upload(server.url, server.key, length=10**6)
        writer.write(bytes(10_000))
        await until(lambda: spool_files(server) == 1, "the upload")
        writer.close()
        await until(lambda: spool_files(server) == 0, "its end")
        assert folder(server) == set()
        big = bytes(64 * 2**20)  # more than the buffers hold
        told = await kept(server, big)
        request = (
            f"GET /v1/files/{told['id']}/content HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
        writer.write(f"{request}{server.key}\r\n\r\n".encode())
        await reader.readexactly(1000)
        await until(lambda: kept_files_open(server) == 1, "the download")
        writer.close()
        await until(lambda: kept_files_open(server) == 0, "its end")
        content = await server.client.get(f"/files/{told['id']}/content")
        assert content.content == big
        await until(lambda: kept_files_open(server) == 0, "the end of the download")


async def test_what_one_key_may_keep(tmp_path: Path) -> None:
    limit = 2 * len(SOUND) + 10
    async with serving(tmp_path, keep_files=True, kept_bytes=limit) as server:
        first, _ = [await kept(server) for _ in range(2)]
        answer = await keep(server)
        assert answer.status_code == 413
        assert "VOXGATE_KEPT_BYTES" in error_of(answer)["message"]
        assert (await kept(server, b"x" * 10))["bytes"] == 10
        assert len(folder(server)) == 3
        await server.client.delete(f"/files/{first['id']}")
        # Of several at once, as many as fit; the others leave nothing.
        answers = await asyncio.gather(*(keep(server) for _ in range(4)))
        assert sorted(each.status_code for each in answers) == [200, 413, 413, 413]
        assert len(folder(server)) == 3
        reader, writer = await begin_upload(server.url, server.key, length=len(SOUND) + 300_000)
        assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")  # without a byte of the file
        writer.close()
        assert spool_files(server) == 0


async def test_a_file_may_be_as_large_as_an_upload(tmp_path: Path) -> None:
    async with serving(tmp_path, keep_files=True, max_upload_bytes=len(SOUND)) as server:
        await kept(server)
        answer = await keep(server, SOUND + b"x")
        assert answer.status_code == 413
        assert "VOXGATE_MAX_UPLOAD_BYTES" in error_of(answer)["message"]
        assert len(folder(server)) == 1


async def test_an_expired_file_is_gone(tmp_path: Path) -> None:
    async with serving(tmp_path, keep_files=True, kept_s=1.0, kept_bytes=len(SOUND)) as server:
        told = await kept(server)
        url = (await server.client.get(f"/files/{told['id']}/url")).json()["url"]
        path, gone = f"/files/{told['id']}", False
        while not gone:
            gone = (await server.client.get(path)).status_code == 404
            await asyncio.sleep(0.05)
        assert (await server.client.get("/files")).json()["total"] == 0
        assert error_of(await transcribe(server, file_id=told["id"]))["code"] == 404
        assert error_of(await server.client.get(url))["code"] in {400, 404}
        again = await kept(server, expiry=1)  # it does not count any more, and its bytes are gone
        assert folder(server) == {again["id"]}
        assert again["expires_at"] - again["created_at"] <= 2


async def test_files_outlive_the_server_that_is_killed_and_half_ones_do_not(cli: CliRunner) -> None:
    home = cli.folder / "home"
    settings: dict[str, Any] = {
        "VOXGATE_KEEP_FILES": "1",
        "VOXGATE_HOME": str(home),
        "VOXGATE_SPOOL_DIR": str(cli.folder / "spool"),
    }
    async with served(cli, **settings) as first:
        form = {"file": ("note.flac", SOUND, "audio/flac")}
        told = (await first.client.post("/files", data=AUDIO, files=form)).json()
        url = (await first.client.get(f"/files/{told['id']}/url")).json()["url"]
        _, writer = await begin_upload(first.url, first.key, length=1_000_000)
        writer.write(bytes(500_000))
        await writer.drain()
        first.process.kill()
        await first.process.wait()
        writer.close()
    (home / "files" / str(uuid4())).write_bytes(b"what was being copied")
    headers = {"Authorization": f"Bearer {first.key}"}
    async with served(cli, **settings) as second:
        listed = (await second.client.get("/files", headers=headers)).json()
        assert listed == {"object": "list", "data": [told], "total": 1}
        assert [path.name for path in (home / "files").iterdir()] == [told["id"]]
        assert not list((cli.folder / "spool").glob("*"))
        again = url.replace(first.url, second.url)
        assert (await second.client.get(again)).content == SOUND
