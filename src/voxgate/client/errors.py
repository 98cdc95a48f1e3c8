"""A server's failure that its caller treats differently from others. Free of any HTTP."""

from __future__ import annotations

from voxgate.errors import ServerError


class UnusableServerError(ServerError):
    """The server refuses or cannot be reached: the next recording would meet the same."""
