"""`KeyRing`: the keys of one upstream, and which of them rest.

A key is read when it is used, so that one that was changed is seen. Only a request has its value:
no error, log, trace or representation.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from voxgate.upstreams import Upstream

log = logging.getLogger(__name__)

DENIED_S = 300.0  # that a key rests which was refused, or is without credit
FIRST_REST_S = 1.0  # after a 429 that says nothing; each further one doubles it
LONGEST_REST_S = 300.0

LONGEST_KEY = 4096  # characters

ENVIRONMENT, FILE = "env:", "file:"


@dataclass(frozen=True, slots=True)
class UpstreamKey:
    """A key as it is now. Without a value nothing is sent: the upstream has no keys."""

    reference: str  # `env:NAME` or `file:PATH`; empty where the upstream has no keys
    value: str | None = field(default=None, repr=False)


@dataclass(slots=True)
class _Rest:
    key: UpstreamKey
    status: int
    until: float  # by the ring's clock
    limits: int = 0  # 429s one after another


class KeyRing:
    """The keys of an upstream, used in turn."""

    def __init__(self, upstream: Upstream, clock: Callable[[], float] = time.monotonic) -> None:
        self._upstream, self._clock = upstream, clock
        self._rests: dict[str, _Rest] = {}
        self._next = 0
        self._missing: set[str] = set()  # what the log was told of keys that are not there

    def usable(self) -> Sequence[UpstreamKey]:
        """Return the keys that do not rest, the one whose turn it is first.

        Raises `UpstreamError` where there is none: `upstream_rate_limited` where one of them will
        rest no more after a while, otherwise `upstream_denied`.
        """
        references = self._upstream.keys or ("",)
        turn = self._next % len(references)
        self._next = turn + 1
        keys, missing = self._read_all(references)
        usable = [key for key in keys if self._rest_s(key) <= 0]
        if not usable:
            raise self._none_usable(missing)
        for place in set(missing) - self._missing:
            log.warning("a key of %s is not used: %s", self._upstream.name, place)
        self._missing = set(missing)
        places = {reference: place for place, reference in enumerate(references)}
        return sorted(usable, key=lambda key: (places[key.reference] - turn) % len(references))

    def check(self) -> None:
        """Raise what `usable` raises, without taking a turn."""
        turn = self._next
        self.usable()
        self._next = turn

    def succeeded(self, key: UpstreamKey) -> None:
        """Note that a key was accepted. One that rests goes on: the request was an earlier one."""
        if self._rest_s(key) <= 0:
            self._rests.pop(key.reference, None)

    def refused(self, key: UpstreamKey, status: int, retry_after_s: float | None) -> float | None:
        """Let a key rest, and return for how long; None for a status that is not about the key.

        Refusals of requests that were in flight at once are one.
        """
        rest, left_s = self._rests.get(key.reference), self._rest_s(key)
        limits = rest.limits if rest and rest.key == key else 0
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            limits += left_s <= 0
            rest_s = FIRST_REST_S * 2 ** min(limits - 1, 10) if left_s <= 0 else left_s
            rest_s = min(rest_s if retry_after_s is None else retry_after_s, LONGEST_REST_S)
        elif status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED}:
            rest_s, limits = DENIED_S, 0
        else:
            return None
        if rest_s > left_s:
            self._rests[key.reference] = _Rest(key, status, self._clock() + rest_s, limits)
        return rest_s

    @property
    def rests_s(self) -> list[float]:
        """For how much longer each of the keys rests that do, the shortest rest first."""
        keys, _ = self._read_all(self._upstream.keys)
        return sorted(rest for key in keys if (rest := self._rest_s(key)) > 0)

    def hide(self, text: str) -> str:
        """Replace what is a key in a text, or part of one that a server repeated."""
        keys = [
            *self._read_all(self._upstream.keys)[0],
            *(rest.key for rest in list(self._rests.values())),
        ]
        secrets = {key.value for key in keys if key.value is not None}
        for secret in sorted(secrets, key=len, reverse=True):  # one may begin with another
            text = _without(secret, text)
        return text

    @staticmethod
    def _read_all(references: Sequence[str]) -> tuple[list[UpstreamKey], list[str]]:
        """Return the keys that there are, and what is wrong with the others."""
        keys, missing = [], []
        for reference in references:
            try:
                keys.append(_read(reference))
            except _MissingKeyError as error:
                missing.append(str(error))
        return keys, missing

    def _rest_s(self, key: UpstreamKey) -> float:
        """Return how much longer a key rests. A new value has not been refused yet."""
        rest = self._rests.get(key.reference)
        return rest.until - self._clock() if rest and rest.key == key else 0.0

    def _none_usable(self, missing: Sequence[str]) -> UpstreamError:
        name = self._upstream.name
        limited = [
            rest.until - self._clock()
            for rest in self._rests.values()
            if rest.status == HTTPStatus.TOO_MANY_REQUESTS and rest.until > self._clock()
        ]
        if limited:
            return UpstreamError(
                f"{name} takes no more requests for {min(limited):.1f} s. Try again then.",
                min(limited),
                code="upstream_rate_limited",
            )
        if missing:
            return UpstreamError(
                f"No key for {name} can be used: {'; '.join(missing)}.", code="upstream_denied"
            )
        return UpstreamError(
            f"{name} refused every key that it was given. Change the key, or wait for at most "
            f"{DENIED_S / 60:.0f} minutes until it is tried again.",
            code="upstream_denied",
        )


def why_missing(reference: str) -> str | None:
    """Return why a key cannot be used now, `env:NAME` or `file:PATH`; None for one that can."""
    try:
        _read(reference)
    except _MissingKeyError as error:
        return str(error)
    return None


class _MissingKeyError(Exception):
    """A key cannot be read; the text says where it should be."""


def _read(reference: str) -> UpstreamKey:
    if not reference:
        return UpstreamKey(reference)
    if reference.startswith(ENVIRONMENT):
        name = reference.removeprefix(ENVIRONMENT)
        return UpstreamKey(reference, _checked(os.environ.get(name, ""), f"the variable {name}"))
    path = Path(reference.removeprefix(FILE)).expanduser()
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST_KEY + 1)
    except OSError as error:
        raise _MissingKeyError(f"{path} cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError:
        text = ""
    return UpstreamKey(reference, _checked(text, f"the file {path}"))


def _checked(text: str, place: str) -> str:
    value = text.strip()
    if not value:
        raise _MissingKeyError(f"{place} has no key")
    if len(value) > LONGEST_KEY or not value.isascii() or not value.isprintable() or " " in value:
        raise _MissingKeyError(f"{place} has something that is not a key")
    return value


PART = 8
"""Characters: what a server repeats of a key may be shortened, and shorter parts tell nothing."""


def _without(secret: str, text: str) -> str:
    """Replace the secret, and every longer part of it, by a mark."""
    text = text.replace(secret, "[key]")
    start = 0
    while start + PART <= len(text):
        end = start + PART
        if text[start:end] not in secret:
            start += 1
            continue
        while end < len(text) and text[start : end + 1] in secret:
            end += 1
        text = f"{text[:start]}[key]{text[end:]}"
        start += len("[key]")
    return text
