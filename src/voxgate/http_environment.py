"""The environment's certificates and proxies, which a client of HTTP reads when it is made."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.errors import VoxgateError


@contextmanager
def reading_environment(kind: type[VoxgateError], servers: str) -> Iterator[None]:
    """Make a client inside the context. What it cannot read of the environment is a `kind`.

    `servers` is what a proxy may be left out for: "the server's name".
    """
    try:
        yield
    except OSError as error:
        raise kind(
            f"The certificates in SSL_CERT_FILE or SSL_CERT_DIR cannot be read: "
            f"{error.strerror or error}. Set SSL_CERT_FILE to a PEM file, or unset both."
        ) from error
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        raise kind(
            f"The proxy in HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used. Write it as "
            f"http://host:port, or add {servers} to NO_PROXY."
        ) from error
