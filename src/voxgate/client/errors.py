"""What a connection can die of, as sentences: one for each cause that has a mend of its own."""

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
    from voxgate.client.request import TranscriptionUpload
    from voxgate.client.transport import TransportLimits


def connection_error(
    error: Exception, address: Address, limits: TransportLimits
) -> ServerError | None:
    """Why no connection came about; None where one did."""
    if isinstance(error, httpx2.ConnectTimeout):
        return UnusableServerError(
            f"Nothing at {address} answered within {limits.connect_s:g} s. Is the server running, "
            f"and does a firewall let you through to it?"
        )
    if isinstance(error, httpx2.ProxyError):
        return UnusableServerError(
            f"The proxy that the environment names let no connection to {address} through "
            f"({error}). Put the server's name into NO_PROXY, or mend HTTP_PROXY or HTTPS_PROXY."
        )
    if isinstance(error, httpx2.ConnectError):
        known = filter(None, (_obstacle(cause, address) for cause in _causes(error)))
        return UnusableServerError(
            next(known, f"{address} cannot be reached ({error}). {CHECK_THE_URL}")
        )
    return None


def no_reply_error(
    error: Exception, address: Address, limits: TransportLimits, body: TranscriptionUpload | None
) -> ServerError:
    """Why no answer began on a connection that there was."""
    if isinstance(error, httpx2.ReadTimeout):
        return ServerError(
            f"{address} took the request and has said nothing for {limits.answer_s / 60:g} "
            f"minutes. Ask it again, or look into its log."
        )
    if any(isinstance(cause, h11.RemoteProtocolError) for cause in _causes(error)):
        return UnusableServerError(f"What answers at {address} speaks no HTTP. {CHECK_THE_URL}")
    if body is not None and not body.complete:
        how = "stopped taking" if isinstance(error, httpx2.WriteTimeout) else "broke off in"
        return ServerError(
            f"{address} {how} the recording after {body.sent:,} of {body.size:,} bytes and gave no "
            f"reason. Ask it again; if that changes nothing, it takes no recording of this size, "
            f"or a proxy before it does not."
        )
    return ServerError(
        f"{truncated_reply_error(str(address))} If nothing ever answers, check the server's URL: "
        f"http:// "
        f"or https://?"
    )


def interrupted_error(error: Exception, address: Address, limits: TransportLimits) -> ServerError:
    """Why an answer that had begun did not end."""
    if isinstance(error, TimeoutError):
        return ServerError(
            f"{address} fell silent for {limits.silence_s:g} s in the middle of its answer. Ask it "
            f"again; a Voxgate server at work gives a sign every few seconds."
        )
    if isinstance(error, httpx2.DecodingError):
        return ServerError(f"The answer of {address} is damaged ({error}). Ask it again.")
    return truncated_reply_error(str(address))


def _obstacle(cause: BaseException, address: Address) -> str | None:
    if isinstance(cause, socket.gaierror):
        return (
            f"No machine is known by the name '{address.base.host}' ({cause.strerror}). "
            f"{CHECK_THE_URL}"
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"The certificate of {address} is not trusted ({cause.verify_message}). If an "
            f"authority of your own has signed it, name that one's file in SSL_CERT_FILE."
        )
    if isinstance(cause, ssl.SSLError):
        return (
            f"{address} does not speak TLS as it should ({cause.reason or cause}). Should its URL "
            f"begin with http:// instead?"
        )
    if isinstance(cause, ConnectionRefusedError):
        return (
            f"Nothing listens at {address}: the connection was refused. Start the server, or "
            f"check the host and port of its URL."
        )
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that led to it: what the operating system said comes last."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _causes(one)
        error = error.__cause__ or error.__context__
