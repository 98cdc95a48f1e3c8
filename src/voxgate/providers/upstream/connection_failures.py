"""The failures of a connection to an upstream, as errors for the operator and for callers."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import httpx2

from voxgate.errors import UpstreamError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.upstreams import Upstream

SENTENCES: tuple[tuple[type[Exception], str], ...] = (
    (
        ssl.SSLError,
        "did not agree on TLS. Check whether its 'url' must begin with http:// instead",
    ),
    (
        ConnectionRefusedError,
        "refused the connection. Check the host and the port of its 'url' in voxgate.toml",
    ),
    (
        socket.gaierror,
        "has a host whose name is not known. Check its 'url' in voxgate.toml",
    ),
    (
        httpx2.ProxyError,
        "cannot be reached through the environment's proxy. Check HTTPS_PROXY and NO_PROXY",
    ),
    (httpx2.InvalidURL, "has a malformed 'url'. Correct it in voxgate.toml"),
    (httpx2.UnsupportedProtocol, "has a malformed 'url'. Correct it in voxgate.toml"),
)


def too_slow(upstream: Upstream, deadline_s: float) -> UpstreamError:
    """Return the error for a response that is not complete in time."""
    return UpstreamError(
        f"{upstream.name} did not answer within {deadline_s:.1f} s. Try again later, or raise the "
        f"provider's 'patience_s' in voxgate.toml.",
        code="upstream_timeout",
        public=f"{upstream.name} did not answer within {deadline_s:.1f} s. Try again later, or ask "
        f"for another model.",
    )


def broken_connection(upstream: Upstream, error: Exception) -> UpstreamError:
    """Return the error for a connection that could not be opened, or did not last."""
    found = (sentence for cause in _causes(error) if (sentence := _sentence(cause)))
    what = next(found, "broke off before its answer was complete. Try again")
    return for_operator(upstream, f"{upstream.name} {what}.")


def for_operator(upstream: Upstream, sentence: str) -> UpstreamError:
    """Return an error that the operator must mend, with another sentence for callers."""
    return UpstreamError(
        sentence,
        public=f"{upstream.name} cannot be used now. Try again later, or ask for another model; "
        f"the server's log says why.",
    )


def _sentence(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"has a certificate that is not trusted ({cause.verify_message.rstrip('.')}). If your "
            f"own authority signed it, set SSL_CERT_FILE to that authority's file"
        )
    return next((sentence for kind, sentence in SENTENCES if isinstance(cause, kind)), "")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what it came from, the operating system's error last."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__
