"""Signing in with an OpenID provider: the way of a person, and what forgers try."""

from __future__ import annotations

import base64
import hmac
import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import pytest_asyncio
from joserfc.jwk import RSAKey

from tests.api.serving import new_key
from tests.web.browsing import looking, pages_served
from tests.web.identity_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider
from tests.web.signed_in import PEOPLE
from voxgate.errors import SettingsError
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

PERSON = {"sub": "user-7", "email": "ann@example.org", "email_verified": True}


@pytest.fixture(scope="module")
def running_provider() -> Iterator[OpenIdProvider]:
    with OpenIdProvider(dict(PERSON)).running() as running:
        yield running


@pytest.fixture
def provider(running_provider: OpenIdProvider) -> Iterator[OpenIdProvider]:
    """The provider without the faults of the test before."""
    own = running_provider
    key, published = own.key, own.published
    yield own
    own.person, own.claims, own.without = dict(PERSON), {}, set()
    own.header, own.token, own.key, own.published = {}, None, key, published


@asynccontextmanager
async def served_with(
    provider: OpenIdProvider, folders: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    async with pages_served(
        folders.mktemp("oidc"),
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=CLIENT_SECRET,
    ) as served:
        await new_key(served, "ann", external_user="Ann@Example.org")
        await new_key(served, "seven", external_user="user-7-alone")
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(
    tmp_path_factory: pytest.TempPathFactory, running_provider: OpenIdProvider
) -> AsyncIterator[Running]:
    async with served_with(running_provider, tmp_path_factory) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def attacked(
    tmp_path_factory: pytest.TempPathFactory, running_provider: OpenIdProvider
) -> AsyncIterator[Running]:
    """Another server: after twenty wrong sign-ins one takes no more for a while."""
    async with served_with(running_provider, tmp_path_factory) as served:
        yield served


def visitor(server: Running) -> httpx2.AsyncClient:
    """Return a browser's stand-in: it keeps cookies, and follows nothing by itself."""
    return httpx2.AsyncClient(base_url=server.url, headers=PEOPLE)


async def come_back(client: httpx2.AsyncClient, next_: str = "/account") -> httpx2.Response:
    """Go to the provider and come back."""
    begun = await client.get(f"/sign-in/oidc?next={next_}")
    assert begun.status_code == 303, begun.text
    async with httpx2.AsyncClient() as elsewhere:
        sent_back = await elsewhere.get(begun.headers["location"])
    return await client.get(sent_back.headers["location"])


async def test_a_person_signs_in_at_the_provider(
    browser: Browser, server: Running, provider: OpenIdProvider
) -> None:
    async with looking(browser, server) as page:
        await page.goto("/account/usage")
        await page.get_by_role("link", name="Sign in at").click()
        await page.wait_for_url("**/account/usage")
        assert await page.get_by_text("ann", exact=True).is_visible()
        cookies = {each["name"]: each for each in await page.context.cookies()}
        assert len(cookies) == 1
        (session,) = cookies.values()
        assert (session["httpOnly"], session["sameSite"]) == (True, "Strict")
        assert "/authorize" in provider.asked


async def test_the_subject_names_a_key_too_and_an_unverified_address_none(
    server: Running, provider: OpenIdProvider
) -> None:
    provider.person = {"sub": "user-7-alone", "email": "ann@example.org"}
    async with visitor(server) as client:
        assert (await come_back(client)).status_code == 200
        assert "seven" in (await client.get("/account")).text


async def test_a_subject_is_never_somebody_s_address(
    server: Running, provider: OpenIdProvider
) -> None:
    provider.person = {"sub": "ann@example.org", "email": "eve@example.org", "email_verified": True}
    async with visitor(server) as client:
        assert (await come_back(client)).status_code == 403
        assert (await client.get("/account")).status_code == 303


async def test_who_has_no_key_is_told_how_one_is_made(
    server: Running, provider: OpenIdProvider
) -> None:
    provider.person = {"sub": "other", "email": "<b>bob</b>@example.org", "email_verified": True}
    async with visitor(server) as client:
        answer = await come_back(client)
        assert answer.status_code == 403
        assert "--external-user &lt;b&gt;bob&lt;/b&gt;@example.org" in answer.text
        assert (await client.get("/account")).status_code == 303


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"nonce": "another"}, "nonce"),
    ({"aud": "another client"}, "aud"),
    ({"aud": [CLIENT_ID, "another"], "azp": "another"}, "azp"),
    ({"iss": "https://login.example.org"}, "iss"),
    ({"exp": int(time.time()) - 3600}, "expired"),
    ({"nbf": int(time.time()) + 3600}, "not yet valid"),
]


@pytest.mark.parametrize(("claims", "told"), WRONG)
async def test_a_token_that_says_something_wrong_opens_nothing(
    server: Running, provider: OpenIdProvider, claims: dict[str, Any], told: str
) -> None:
    provider.claims = claims
    async with visitor(server) as client:
        answer = await come_back(client)
        assert answer.status_code == 401
        assert told in answer.text
        assert (await client.get("/account")).status_code == 303


@pytest.mark.parametrize("claim", ["nonce", "aud", "iss", "exp", "sub"])
async def test_a_token_that_lacks_something_opens_nothing(
    attacked: Running, provider: OpenIdProvider, claim: str
) -> None:
    provider.without = {claim}
    async with visitor(attacked) as client:
        assert (await come_back(client)).status_code == 401
        assert (await client.get("/account")).status_code == 303


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize("forgery", ["other key", "none", "hs256", "no token", "cut"])
async def test_a_token_that_the_provider_did_not_sign_opens_nothing(
    attacked: Running, provider: OpenIdProvider, forgery: str
) -> None:
    right = provider.key
    if forgery == "other key":
        provider.key = RSAKey.generate_key(2048, {"kid": "one"})
    elif forgery in {"none", "hs256"}:
        _, claims, _ = provider.id_token("n").split(".")
        algorithm = "none" if forgery == "none" else "HS256"
        signed = f"{_encoded(json.dumps({'alg': algorithm, 'kid': 'one'}).encode())}.{claims}"
        mark = hmac.digest(right.as_pem(private=False), signed.encode(), "sha256")
        provider.token = f"{signed}.{_encoded(mark) if forgery == 'hs256' else ''}"
    else:
        provider.token = "" if forgery == "no token" else provider.id_token("n")[:-20]
    async with visitor(attacked) as client:
        assert (await come_back(client)).status_code == 401
        assert (await client.get("/account")).status_code == 303


async def test_a_provider_that_has_new_keys_is_asked_for_them_but_not_again_and_again(
    provider: OpenIdProvider, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with served_with(provider, tmp_path_factory) as server, visitor(server) as client:
        assert (await come_back(client)).status_code == 200
        provider.key = RSAKey.generate_key(2048, {"kid": "two"})
        provider.published = [provider.key]
        assert (await come_back(client)).status_code == 200
        provider.key = RSAKey.generate_key(2048, {"kid": "three"})
        asked = provider.asked.count("/keys")
        for _ in range(3):
            assert (await come_back(client)).status_code == 401
        assert provider.asked.count("/keys") == asked


async def test_a_sign_in_comes_back_once_and_to_the_browser_that_began_it(
    server: Running, provider: OpenIdProvider
) -> None:
    async with visitor(server) as client, visitor(server) as other:
        begun = await client.get("/sign-in/oidc?next=/account")
        cookie = begun.cookies
        async with httpx2.AsyncClient() as elsewhere:
            sent_back = await elsewhere.get(begun.headers["location"])
            again = await elsewhere.get(begun.headers["location"])
        back = sent_back.headers["location"]
        assert (await other.get(back)).status_code == 401  # who has no cookie of it
        assert (await client.get(back)).status_code == 200
        async with visitor(server) as thief:
            thief.cookies = cookie
            replayed = await thief.get(again.headers["location"])
        assert replayed.status_code == 401
        assert "has come back already" in replayed.text
        wrong = await client.get("/sign-in/oidc/return?code=x&state=y")
        assert wrong.status_code == 401


async def test_a_refusal_of_the_provider_is_told(server: Running, provider: OpenIdProvider) -> None:
    async with visitor(server) as client:
        begun = await client.get("/sign-in/oidc")
        state = httpx2.URL(begun.headers["location"]).params["state"]
        answer = await client.get(
            "/sign-in/oidc/return", params={"state": state, "error": "access_denied"}
        )
        assert answer.status_code == 401
        assert "access_denied" in answer.text


async def test_a_provider_that_is_down_is_told_and_keys_work_on(
    server: Running, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with (
        pages_served(
            tmp_path_factory.mktemp("down"),
            oidc_issuer="http://127.0.0.1:9",
            oidc_client_id=CLIENT_ID,
        ) as down,
        visitor(down) as client,
    ):
        answer = await client.get("/sign-in/oidc")
        assert answer.status_code == 502
        assert "Sign in with a key" in answer.text


async def test_a_server_without_a_provider_has_no_such_page(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with pages_served(tmp_path_factory.mktemp("none")) as none, visitor(none) as client:
        assert (await client.get("/sign-in/oidc")).status_code == 404
        assert "Sign in at" not in (await client.get("/sign-in")).text


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "https://login.example.org"},
        {"oidc_client_id": "x"},
        {"oidc_client_secret": "x"},
        {"oidc_issuer": "https://login.example.org", "oidc_client_id": "x", "auth": "off"},
    ],
)
async def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="oidc_issuer"):
        Settings(**settings)


async def test_a_provider_whose_words_others_could_change_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with pytest.raises(SettingsError, match="must begin with https"):
        async with pages_served(
            tmp_path_factory.mktemp("plain"),
            oidc_issuer="http://login.example.org",
            oidc_client_id="x",
        ):
            pass


@pytest.mark.parametrize("secret", ["user:s3cret@login.example.org", "login.example.org/?k=s3cret"])
async def test_an_issuer_that_visitors_must_not_read_is_refused(
    tmp_path_factory: pytest.TempPathFactory, secret: str
) -> None:
    with pytest.raises(SettingsError, match="visitors read it") as refused:
        async with pages_served(
            tmp_path_factory.mktemp("secret"), oidc_issuer=f"https://{secret}", oidc_client_id="x"
        ):
            pass
    assert "s3cret" not in str(refused.value)
