"""A hub on the loopback: the file API that `huggingface_hub` uses, with faults.

As in the real hub, weights and tekken.json are in LFS: identified by SHA-256 and served, after a
redirect, by another host that must not receive a token. The other files are in git: identified by
git's hash and served directly. Ranges are supported. Faults are set for each file name.
"""

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha1, sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLD_TIMEOUT_S = 60.0  # of a held response: longer than any test waits


@dataclass
class Repository:
    """One repository, at one commit."""

    files: dict[str, bytes]
    commit: str
    gate: str | None = None  # its files need this token

    @classmethod
    def from_folder(cls, folder: Path, **more: bytes) -> Repository:
        """Return a repository of a folder's files, at a commit that depends on them."""
        files = {
            path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()
        } | more
        return cls(files, sha1(b"".join(files.values()), usedforsecurity=False).hexdigest())


@dataclass
class Faults:
    """The faults by file name. Without one a response is complete and immediate."""

    cut_at: dict[str, int] = field(default_factory=dict)  # the connection ends there, every time
    cut_once: set[str] = field(default_factory=set)  # only the first time
    replaced: dict[str, bytes] = field(
        default_factory=dict
    )  # sent in place of the announced content
    statuses: dict[str, list[int]] = field(default_factory=dict)  # of the next responses
    held: dict[str, int] = field(default_factory=dict)  # no byte after these until `release`
    slow: set[str] = field(default_factory=set)  # in pieces of one byte, then of seven and so on


@dataclass
class HubRequest:
    """A request that the hub received."""

    host: str  # "hub" or "cdn"
    method: str
    path: str
    headers: dict[str, str]


class Hub:
    """The hub's two hosts, each a server in a thread."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.faults = Faults()
        self.requests: list[HubRequest] = []
        self.leaks: list[str] = []  # tokens that the other host received
        self.holding = threading.Event()  # set while a response is held
        self.release = threading.Event()
        self._servers = [
            _Server(("127.0.0.1", 0), partial(_Handler, self, host)) for host in ("hub", "cdn")
        ]
        self.url, self.cdn = (f"http://127.0.0.1:{s.server_address[1]}" for s in self._servers)

    @property
    def ports(self) -> set[int]:
        return {int(server.server_address[1]) for server in self._servers}

    def fetched(self, *, host: str | None = None) -> list[str]:
        """Return the names of the requested files, in order."""
        return [
            request.path.rpartition("/")[2]
            for request in self.requests
            if "/resolve/" in request.path or request.host == "cdn"
            if host in {None, request.host}
        ]

    @contextmanager
    def running(self) -> Iterator[Hub]:
        threads = [threading.Thread(target=s.serve_forever, args=(0.01,)) for s in self._servers]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self.release.set()
            for server in self._servers:
                server.shutdown()
                server.server_close()
            for thread in threads:
                thread.join()
        assert not self.leaks


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore closed connections."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def in_lfs(name: str) -> bool:
    return name.endswith((".safetensors", ".bin")) or name == "tekken.json"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, hub: Hub, host: str, *rest: object) -> None:
        self.hub, self.host = hub, host
        super().__init__(*rest)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(HubRequest(self.host, self.command, path, dict(self.headers)))
        if self.host == "cdn":
            self._content(path)
        elif path.startswith("/api/models/"):
            self._info(path.removeprefix("/api/models/"))
        else:
            self._resolve(path)

    def _info(self, path: str) -> None:
        name, _, revision = path.partition("/revision/")
        repository = self.hub.repositories.get(name)
        if self._refused_by_status(name):
            return
        if repository is None:
            self._refuse(401, "RepoNotFound")
        elif revision not in {"", "main", repository.commit}:
            self._refuse(404, "RevisionNotFound")
        else:
            siblings = [_sibling(name, content) for name, content in repository.files.items()]
            body = {"id": name, "modelId": name, "sha": repository.commit, "siblings": siblings}
            self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _resolve(self, path: str) -> None:
        repository_name, _, rest = path[1:].partition("/resolve/")
        revision, _, name = rest.partition("/")
        repository = self.hub.repositories.get(repository_name)
        if self._refused_by_status(name):
            return
        if repository is None or revision not in {"main", repository.commit}:
            self._refuse(404, "RepoNotFound" if repository is None else "RevisionNotFound")
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if repository.gate not in {None, token}:
            self._refuse(403 if token else 401, "GatedRepo")
            return
        content = repository.files.get(name)
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        headers = {"X-Repo-Commit": repository.commit}
        if in_lfs(name):
            digest = sha256(content).hexdigest()
            linked = {"X-Linked-Size": str(len(content)), "X-Linked-ETag": f'"{digest}"'}
            where = {"Location": f"{self.hub.cdn}/{repository_name}/{name}"}
            self._send(302, b"", headers | linked | where)
        else:
            self._file(name, content, headers | {"ETag": f'"{_git_blob(content)}"'})

    def _content(self, path: str) -> None:
        self.hub.leaks += self.headers.get_all("Authorization", [])
        repository_name, _, name = path[1:].rpartition("/")
        content = self.hub.repositories[repository_name].files[name]
        self._file(name, content, {"ETag": f'"{sha256(content).hexdigest()}"'})

    def _file(self, name: str, content: bytes, headers: dict[str, str]) -> None:
        content = self.hub.faults.replaced.get(name, content)
        first = int(self.headers.get("Range", "bytes=0-")[len("bytes=") :].partition("-")[0])
        if first >= len(content) > 0:
            self._send(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        self.send_response(206 if "Range" in self.headers else 200)
        if "Range" in self.headers:
            headers |= {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
        for key, value in (headers | {"Content-Length": str(len(content) - first)}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self._write(name, first, content)

    def _write(self, name: str, first: int, content: bytes) -> None:
        faults = self.hub.faults
        end = len(content)
        if name in faults.cut_at:
            end = max(first, faults.cut_at[name])
            if name in faults.cut_once:
                del faults.cut_at[name]
        if name in faults.held and first <= faults.held[name]:
            self.wfile.write(content[first : faults.held[name]])
            first = faults.held[name]
            self.hub.holding.set()
            self.hub.release.wait(HOLD_TIMEOUT_S)
        size = 1 if name in faults.slow else end
        while first < end:
            self.wfile.write(content[first : min(end, first + size)])
            first, size = first + size, size * 7
        if end < len(content):
            self.close_connection = True

    def _refused_by_status(self, name: str) -> bool:
        waiting = self.hub.faults.statuses.get(name)
        if not waiting:
            return False
        self._send(waiting.pop(0), b"", {"Retry-After": "0"})
        return True

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _sibling(name: str, content: bytes) -> dict[str, object]:
    facts: dict[str, object] = {
        "rfilename": name,
        "size": len(content),
        "blobId": _git_blob(content),
    }
    if in_lfs(name):
        facts["lfs"] = {
            "sha256": sha256(content).hexdigest(),
            "size": len(content),
            "pointerSize": 134,
        }
    return facts


def _git_blob(content: bytes) -> str:
    return sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
