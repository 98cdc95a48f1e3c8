"""Valid and invalid URLs of a server."""

import pytest

from voxgate.client.address import Address
from voxgate.errors import UsageError


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("http://localhost:8000", "http://localhost:8000/api/v1"),
        (" https://voxgate.example.org/ ", "https://voxgate.example.org/api/v1"),
        ("http://h/api/v1", "http://h/api/v1"),
        ("http://h/api/v1/", "http://h/api/v1"),
        ("http://h/v1/", "http://h/v1"),
        ("https://openrouter.ai/api", "https://openrouter.ai/api/v1"),
        ("https://h/below/it", "https://h/below/it/api/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/api/v1"),
    ],
)
def test_the_base_is_completed_from_any_part_of_the_url(given: str, base: str) -> None:
    address = Address.parse(given)
    assert str(address) == base
    assert address.to("models") == f"{base}/models"


@pytest.mark.parametrize(
    "given",
    [
        *("", "localhost:8000", "ftp://h", "http://", "http://h?a=b", "http://h/#top"),
        *("http://h:0", "http://h:65536", "http://h:x", "http://h/\n/"),
    ],
)
def test_an_invalid_url_is_reported_with_an_example(given: str) -> None:
    with pytest.raises(UsageError, match="Write it as http://localhost:8000"):
        Address.parse(given)


def test_a_password_in_a_url_is_not_repeated() -> None:
    with pytest.raises(UsageError, match="--key") as caught:
        Address.parse("https://me:secret@voxgate.example.org")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        *(("localhost", True), ("voxgate.localhost", True), ("127.0.0.1", True)),
        *(("127.8.9.10", True), ("[::1]", True), ("[::]", True)),
        *(("example.org", False), ("10.0.0.1", False), ("localhost.example.org", False)),
    ],
)
def test_loopback_hosts_are_recognised(host: str, loopback: bool) -> None:
    assert Address.parse(f"http://{host}:8000").is_loopback is loopback
