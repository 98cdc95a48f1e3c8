"""The failures of a connection to the server of a recording, as sentences."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpcore2

from voxgate.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

HTTP_ERRORS = (
    ssl.SSLError,  # httpcore translates it in the handshake only
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.TimeoutException,
)


def connection_failed(error: Exception, host: str, received: int) -> AudioError:
    """Return the error for a failed connection, after `received` bytes of the recording."""
    return AudioError(_sentence(error, host, received), code="fetch_failed")


def _sentence(error: Exception, host: str, received: int) -> str:
    if isinstance(error, httpcore2.ConnectTimeout):
        return f"{host} did not answer. Check the address, or try again later."
    if isinstance(error, httpcore2.ConnectError):
        return _connect_sentence(error, host)
    if isinstance(error, httpcore2.TimeoutException):
        return f"{host} stopped sending after {received:,} bytes. Try again later."
    if isinstance(error, ssl.SSLError) and not received:
        return (
            f"{host} refused the TLS connection: it may want a certificate of the client. Send the "
            f"recording itself."
        )
    if isinstance(error, httpcore2.ProtocolError) and not received:
        return f"{host} does not answer as a web server does. Check the address and its port."
    return f"{host} broke off after {received:,} bytes of the recording. Try again later."


def _connect_sentence(error: Exception, host: str) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"The certificate of {host} is not trusted ({cause.verify_message.rstrip('.')}). "
                f"If your own authority signed it, set SSL_CERT_FILE to that authority's file."
            )
        if isinstance(cause, ssl.SSLError):
            return (
                f"The TLS handshake with {host} failed. Check whether its address must begin with "
                f"http:// instead."
            )
        if isinstance(cause, ConnectionRefusedError):
            return f"{host} refused the connection. Check the address and its port."
    return f"{host} cannot be reached. Check the address, or try again later."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and what it came from. httpcore's pool removes causes, and keeps contexts."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
