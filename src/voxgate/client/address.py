"""`Address`: where a server's API is, from whatever part of its URL the user has at hand."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import httpx2

from voxgate.errors import UsageError

EXAMPLE = "http://localhost:8000 or https://voxgate.example.org"
MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """The base of every path, as `http://localhost:8000/api/v1`."""

    base: httpx2.URL

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read a server's URL, with `/api/v1`, `/v1` or a slash at its end, or without.

        `/v1` is kept, because other servers have nothing above it. Raises `UsageError`.
        """
        if "@" in text:  # not shown: what stands before it may be a password
            raise UsageError(
                "A server's URL holds no user name and no password here. Give its key with --key "
                "or in VOXGATE_KEY."
            )
        try:
            url = httpx2.URL(text.strip())
        except httpx2.InvalidURL as error:
            raise _no_address(text) from error
        if (
            url.scheme not in {"http", "https"}
            or not url.host
            or not (url.port is None or 0 < url.port <= MAX_PORT)
            or url.query
            or url.fragment
        ):
            raise _no_address(text)
        return cls(url.copy_with(path=_api(url.path.rstrip("/"))))

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, where no proxy would find it."""
        host = self.base.host
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified

    def to(self, path: str) -> str:
        """The URL of one of the API's paths."""
        return f"{self.base}/{path}"

    def __str__(self) -> str:
        return str(self.base)


def _api(path: str) -> str:
    if path.endswith("/v1"):
        return path
    return f"{path}/v1" if path.endswith("/api") else f"{path}/api/v1"


def _no_address(text: str) -> UsageError:
    return UsageError(f"'{text}' is no server's URL. Write it as {EXAMPLE}.")
