"""Errors whose causes a test cannot produce without its own authority or network."""

import ssl

import httpx2
import pytest

from voxgate.client.address import Address
from voxgate.client.errors import connection_error, no_reply_error
from voxgate.client.transport import TransportLimits
from voxgate.errors import ServerError

ADDRESS = Address.parse("https://voxgate.example.org")


def error_from(cause: OSError) -> httpx2.ConnectError:
    """Return the error for a name with two addresses: the cause is one of several, nested deep."""
    error, middle = httpx2.ConnectError("failed"), OSError("All connection attempts failed")
    middle.__cause__ = ExceptionGroup("attempts", [OSError("no such network"), cause])
    error.__cause__ = middle
    return error


def sentence(error: Exception) -> str:
    failure = connection_error(error, ADDRESS, TransportLimits())
    assert isinstance(failure, ServerError)
    return str(failure)


def test_a_certificate_that_is_not_trusted() -> None:
    cause = ssl.SSLCertVerificationError()
    cause.verify_message = "self-signed certificate"
    text = sentence(error_from(cause))
    assert "(self-signed certificate)" in text
    assert "SSL_CERT_FILE" in text


def test_an_address_without_a_response() -> None:
    assert "within 10 s" in sentence(httpx2.ConnectTimeout(""))


def test_any_other_connection_error() -> None:
    assert "cannot be reached (failed)" in sentence(error_from(OSError("no route to host")))


@pytest.mark.parametrize("error", [httpx2.ReadError(""), httpx2.RemoteProtocolError("")])
def test_a_connection_that_ends_before_the_response(error: Exception) -> None:
    assert connection_error(error, ADDRESS, TransportLimits()) is None
    assert "ended before" in str(no_reply_error(error, ADDRESS, TransportLimits(), None))
