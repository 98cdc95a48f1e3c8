"""`RecordingUrl`: the address of a recording, checked, with the server's name and the file's."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from urllib.parse import unquote

import httpx2

from voxgate.configuration.values import MAX_PORT
from voxgate.errors import UsageError
from voxgate.file_names import base_name

MAX_URL_CHARACTERS = 8192  # what servers take at most; signed addresses have about 2000
EXAMPLE = "https://example.org/talk.mp3"

MALFORMED = (httpx2.InvalidURL, ValueError)  # ValueError: what cannot be encoded

PAGE_SITES = (
    *("youtube.com", "youtu.be", "youtube-nocookie.com", "vimeo.com", "dailymotion.com"),
    *("soundcloud.com", "bandcamp.com", "mixcloud.com", "twitch.tv", "bilibili.com"),
    *("x.com", "twitter.com", "tiktok.com", "instagram.com", "facebook.com", "fb.watch"),
    *("reddit.com", "podcasts.apple.com"),
)
"""Sites that show their recordings in pages, and whose pages yt-dlp reads."""

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")


@dataclass(frozen=True, slots=True)
class RecordingUrl:
    """The address of a file on a web server.

    It may hold a signature, so messages and logs name `host` only. Use `parse` or `redirected`.
    """

    url: httpx2.URL

    @classmethod
    def parse(cls, text: str) -> RecordingUrl:
        """Parse what a caller gave.

        Raises `UsageError` for what is no address of http or https, for one with a user name or a
        password, and for a page of a site that yt-dlp is for.
        """
        if len(text) > MAX_URL_CHARACTERS:
            raise UsageError(
                f"The address of the recording is longer than {MAX_URL_CHARACTERS} characters. "
                f"Send the recording itself."
            )
        try:
            url = _without_last_dot(httpx2.URL(text.strip()))
            problem = _problem(url)
        except MALFORMED:
            url, problem = httpx2.URL(), "is malformed"
        if problem:
            raise UsageError(f"The address of the recording {problem}. Write it as {EXAMPLE}.")
        checked = cls(url)
        checked._check_site()
        return checked

    def redirected(self, location: str) -> RecordingUrl:
        """Return the address that a response of this one leads on to. Raises `UsageError`."""
        try:
            url = _without_last_dot(self.url.join(location))
            problem = _problem(url)
        except MALFORMED:
            url, problem = self.url, "is malformed"
        if problem:
            raise UsageError(
                f"{self.host} leads on to an address that {problem}. Give the address of the file "
                f"itself.",
                code="url_refused",
            )
        return RecordingUrl(url)

    @property
    def host(self) -> str:
        """The server's name in ASCII and lower case, or its number without brackets."""
        return self.url.raw_host.decode("ascii").lower()  # numbers of IPv6 are kept as written

    @property
    def file_name(self) -> str | None:
        """The last part of the path, as a name without a path; None where there is none."""
        path = self.url.raw_path.partition(b"?")[0].decode("ascii")
        return base_name(unquote(path.rpartition("/")[2], errors="replace"))

    def _check_site(self) -> None:
        if any(self.host == site or self.host.endswith(f".{site}") for site in PAGE_SITES):
            raise UsageError(
                f"{self.host} has pages, not files. yt-dlp gets the sound of a page: yt-dlp -f "
                f"bestaudio -o - {shlex.quote(str(self.url))} | voxgate transcribe -",
                code="url_refused",
            )

    def __str__(self) -> str:
        return str(self.url)


def _without_last_dot(url: httpx2.URL) -> httpx2.URL:
    """Return the URL without the dot of a complete name, which no certificate has."""
    return url.copy_with(host=url.host.rstrip(".")) if url.host.endswith(".") else url


def _problem(url: httpx2.URL) -> str | None:
    """Return what is wrong with an absolute URL, as a predicate."""
    if url.scheme not in {"http", "https"}:
        return "does not begin with http:// or https://"
    if url.userinfo:
        return "has a user name or a password, which is not sent on"
    if not _is_host(url.raw_host.decode("ascii")):
        return "names no server"
    if url.port is not None and not 0 < url.port <= MAX_PORT:
        return "has no valid port"
    return None


def _is_host(host: str) -> bool:
    if ":" in host:  # httpx2 has checked the number; a zone is this machine's own matter
        return "%" not in host
    return _NAME.fullmatch(host) is not None
