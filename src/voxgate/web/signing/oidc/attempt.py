"""`Attempts`: sign-ins that were begun in a browser and have not come back from the provider.

What is remembered of one is in a signed cookie of that browser, so that nobody can finish another's
sign-in. Each is finished once.
"""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from itsdangerous import BadData, URLSafeTimedSerializer

if TYPE_CHECKING:
    from collections.abc import Sequence

ATTEMPT_S = 600
"""How long a sign-in may take at the provider."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in that is under way."""

    state: str
    nonce: str
    verifier: str  # of PKCE
    next: str  # the page that was asked for

    @classmethod
    def begin(cls, next_: str) -> Attempt:
        """Return a new one, that nobody can guess."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, next_)


class Attempts:
    """Signs attempts, and takes each back once."""

    def __init__(self, signing: Sequence[bytes], name: str) -> None:
        """`signing` are secrets as those of the session's cookie, whose name is `name`."""
        self._serializer = URLSafeTimedSerializer([*reversed(signing)], salt="voxgate oidc")
        self.cookie_name = f"{name}_oidc"
        self._finished: dict[str, float] = {}  # states, with when they are no longer believed

    def issue(self, attempt: Attempt) -> str:
        """Return the value of an attempt's cookie."""
        return str(self._serializer.dumps(asdict(attempt)))

    def finish(self, value: str | None, state: str) -> Attempt | None:
        """Return the attempt of a cookie, if it is the one that came back, for the first time."""
        if not value:
            return None
        try:
            attempt = Attempt(**self._serializer.loads(value, max_age=ATTEMPT_S))
        except (BadData, TypeError):
            return None
        now = time.monotonic()
        self._finished = {old: end for old, end in self._finished.items() if end > now}
        same = hmac.compare_digest(attempt.state.encode(), state.encode())
        if not same or attempt.state in self._finished:
            return None
        self._finished[attempt.state] = now + ATTEMPT_S
        return attempt
