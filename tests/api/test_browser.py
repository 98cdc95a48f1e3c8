"""Recordings that a real browser makes, sent by its page: Chromium's MediaRecorder."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jiwer
import pytest

from tests.api.serving import serving
from tests.processes import DEADLINE_S
from tests.sounds import WORDS, encode, sample
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

CHROMIUM = shutil.which("chromium")
PAGE = Path(__file__).parent / "recorder.html"
MODEL = "openai/whisper-base"
ALONE = (  # neither a window nor a call home
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--autoplay-policy=no-user-gesture-required",
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


class Site:
    """A web site with one page, whose result it waits for."""

    def __init__(self) -> None:
        self.task: dict[str, str] = {}
        self.done = threading.Event()
        self.result: Any = None
        site, sound = self, encode(sample(), "x.wav")

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                task = json.dumps(site.task).encode()
                pages = {"/": PAGE.read_bytes(), "/task": task, "/sound": sound}
                self._answer(pages.get(self.path))

            def do_POST(self) -> None:
                site.result = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._answer(b"")
                site.done.set()

            def _answer(self, body: bytes | None) -> None:
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.send_header("Content-Type", "text/html" if self.path == "/" else "text/plain")
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name)
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def open(self) -> Iterator[Site]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


@asynccontextmanager
async def browser(address: str, profile: Path) -> AsyncIterator[None]:
    """Show one page."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        *(CHROMIUM, *ALONE, f"--user-data-dir={profile}", "--remote-debugging-port=0", address),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def test_what_a_page_records_is_transcribed(tmp_path: Path) -> None:
    with Site().open() as site:
        async with serving(tmp_path, None, Session, cors_origins=(site.address,)) as server:
            address = f"{server.url}/api/v1/audio/transcriptions"
            site.task = {"address": address, "key": server.key, "model": MODEL}
            async with browser(site.address, tmp_path / "profile"):
                assert await asyncio.to_thread(site.done.wait, DEADLINE_S)
    assert isinstance(site.result, list), site.result
    recorded = [way for way in site.result if way["recorded"]]
    assert {way["type"].partition(";")[0] for way in recorded} >= {"audio/webm", "audio/mp4"}
    assert {way["channels"] for way in recorded} == {1, 2}
    for way in recorded:
        answer = way["answer"]
        assert answer["status"] == 200, way
        rate = jiwer.wer(plain(WORDS), plain(answer["text"]))
        print(f"{way['type']}, {way['channels']} channels, {way['size']} bytes: {rate:.2f}")
        assert rate < 0.2, way
        assert "warnings" not in answer, way
        assert answer["usage"]["seconds"] == pytest.approx(10.6, abs=1), way


def plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum() or c.isspace())
