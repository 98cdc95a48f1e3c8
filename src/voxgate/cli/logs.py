"""The server's log: one line an event, on standard error."""

from __future__ import annotations

import logging
import sys

FORMAT = "%(asctime)s %(levelname)s %(message)s"


def to_standard_error() -> None:
    """Let what the server says reach standard error: its own at INFO, of libraries warnings.

    Of uvicorn errors alone: it warns of whatever strangers send that is no HTTP.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("voxgate").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
