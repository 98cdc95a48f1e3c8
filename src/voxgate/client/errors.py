"""The errors of a connection: one sentence for each cause that has its own remedy."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

import h11
import httpx2

from voxgate.client.reply import CHECK_THE_URL, truncated_reply_error
from voxgate.errors import ServerError, UnusableServerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.client.address import Address
    from voxgate.client.request import JsonUpload
    from voxgate.client.transport import TransportLimits


def connection_error(
    error: Exception, address: Address, limits: TransportLimits
) -> ServerError | None:
    """Return the error if no connection was established, or None if one was."""
    if isinstance(error, httpx2.ConnectTimeout):
        return UnusableServerError(
            f"Nothing at {address} answered within {limits.connect_s:g} s. Is the server running, "
            f"and does a firewall let you through to it?"
        )
    if isinstance(error, httpx2.ProxyError):
        return UnusableServerError(
            f"The proxy from the environment refused a connection to {address} ({error}). Add the "
            f"server's name to NO_PROXY, or correct HTTP_PROXY or HTTPS_PROXY."
        )
    if isinstance(error, httpx2.ConnectError):
        sentences = filter(None, (_sentence_for(cause, address) for cause in _causes(error)))
        return UnusableServerError(
            next(sentences, f"{address} cannot be reached ({error}). {CHECK_THE_URL}")
        )
    return None


def no_reply_error(
    error: Exception, address: Address, limits: TransportLimits, body: JsonUpload | None
) -> ServerError:
    """Return the error if a connection was established but no response began."""
    if isinstance(error, httpx2.ReadTimeout):
        return ServerError(
            f"{address} received the request but sent no response for {limits.response_s / 60:g} "
            f"minutes. Try again, or check the server's log."
        )
    if any(isinstance(cause, h11.RemoteProtocolError) for cause in _causes(error)):
        return UnusableServerError(f"The server at {address} does not speak HTTP. {CHECK_THE_URL}")
    if body is not None and not body.complete:
        stalled = isinstance(error, httpx2.WriteTimeout)
        failure = "stopped receiving" if stalled else "closed the connection during"
        return ServerError(
            f"{address} {failure} the recording after {body.sent:,} of {body.size:,} bytes and "
            f"gave no reason. Try again. If it fails again, the server or a proxy before it does "
            f"not accept recordings of this size."
        )
    return ServerError(
        f"{truncated_reply_error(str(address))} If there is never a response, check whether the "
        f"server's URL begins with http:// or https://."
    )


def interrupted_error(error: Exception, address: Address, limits: TransportLimits) -> ServerError:
    """Return the error if a response began but did not end."""
    if isinstance(error, TimeoutError):
        return ServerError(
            f"{address} sent nothing for {limits.silence_s:g} s in the middle of its response. Try "
            f"again. A Voxgate server that is working sends something every few seconds."
        )
    if isinstance(error, httpx2.DecodingError):
        return ServerError(f"The response of {address} is damaged ({error}). Try again.")
    return truncated_reply_error(str(address))


def _sentence_for(cause: BaseException, address: Address) -> str | None:
    if isinstance(cause, socket.gaierror):
        return (
            f"The name '{address.base.host}' cannot be resolved ({cause.strerror}). {CHECK_THE_URL}"
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {address} is not trusted ({cause.verify_message}). If "
            f"your own authority signed it, set SSL_CERT_FILE to that authority's file."
        )
    if isinstance(cause, ssl.SSLError):
        return (
            f"The TLS handshake with {address} failed ({cause.reason or cause}). Check whether its "
            f"URL must begin with http:// instead."
        )
    if isinstance(cause, ConnectionRefusedError):
        return (
            f"Nothing listens at {address}: the connection was refused. Start the server, or "
            f"check the host and port of its URL."
        )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and all its causes. The operating system's error comes last."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from _causes(member)
        error = error.__cause__ or error.__context__
