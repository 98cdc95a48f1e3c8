"""Causes that a test cannot bring about without an authority or a network of its own."""

import ssl

import httpx2
import pytest

from voxgate.client.address import Address
from voxgate.client.errors import connection_error, no_reply_error
from voxgate.client.transport import TransportLimits
from voxgate.errors import ServerError

THERE = Address.parse("https://voxgate.example.org")


def caused(cause: OSError) -> httpx2.ConnectError:
    """As it comes where a name has two addresses: the cause is one of several, far below."""
    error, middle = httpx2.ConnectError("failed"), OSError("All connection attempts failed")
    middle.__cause__ = ExceptionGroup("attempts", [OSError("no such network"), cause])
    error.__cause__ = middle
    return error


def sentence(error: Exception) -> str:
    failure = connection_error(error, THERE, TransportLimits())
    assert isinstance(failure, ServerError)
    return str(failure)


def test_a_certificate_that_nobody_vouches_for() -> None:
    cause = ssl.SSLCertVerificationError()
    cause.verify_message = "self-signed certificate"
    said = sentence(caused(cause))
    assert "(self-signed certificate)" in said
    assert "SSL_CERT_FILE" in said


def test_an_address_that_nobody_answers_at() -> None:
    assert "within 10 s" in sentence(httpx2.ConnectTimeout(""))


def test_whatever_else_keeps_a_connection_away() -> None:
    assert "cannot be reached (failed)" in sentence(caused(OSError("no route to host")))


@pytest.mark.parametrize("error", [httpx2.ReadError(""), httpx2.RemoteProtocolError("")])
def test_a_connection_that_ends_before_the_answer(error: Exception) -> None:
    assert connection_error(error, THERE, TransportLimits()) is None
    assert "broke off" in str(no_reply_error(error, THERE, TransportLimits(), None))
