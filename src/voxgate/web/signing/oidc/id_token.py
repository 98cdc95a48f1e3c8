"""`verified_identity`: who an ID token speaks of, once all of it has been checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxgate.web.signing.oidc.provider import IdentityError

if TYPE_CHECKING:
    from voxgate.web.signing.oidc.provider import Document, IdentityProvider

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
"""Those that a provider's public keys verify. `none` proves nothing, and the HS ones would let
whoever knows this server's secret there sign for the provider."""

LEEWAY_S = 60
LONGEST_TOKEN = 64 * 1024  # characters


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in at the provider."""

    subject: str
    email: str | None  # where the provider says that it is verified

    @property
    def name(self) -> str:
        """What a key for this person has as its external user."""
        return self.email or self.subject

    def is_user(self, external_user: str | None) -> bool:
        """Return whether this is the external user of a key, by e-mail address or subject.

        What looks like an address is one, that the provider has verified: where people choose
        their subject, somebody's address could be chosen.
        """
        if not external_user:
            return False
        if "@" in external_user:
            return self.email is not None and self.email.casefold() == external_user.casefold()
        return self.subject == external_user


async def verified_identity(provider: IdentityProvider, token: str, nonce: str) -> Identity:
    """Check the signature, issuer, audience, times and nonce of a token.

    Raises `IdentityError`, which says what is wrong, and what `IdentityProvider.keys` raises.
    """
    if len(token) > LONGEST_TOKEN:
        raise _refused(provider, "it is too long")
    claims, header = await _decoded(provider, token)
    _check_claims(provider, claims, header, nonce)
    email = claims.get("email")
    known = isinstance(email, str) and email and claims.get("email_verified") is True
    return Identity(str(claims["sub"]), str(email) if known else None)


async def _decoded(provider: IdentityProvider, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the claims and the header of a token that the provider signed.

    Its keys are read again where none of them did: providers change them.
    """
    from joserfc.errors import JoseError  # noqa: PLC0415 (an extra)

    try:
        return _decode(token, await provider.keys())
    except (JoseError, ValueError):
        anew = await provider.keys(anew=True)
    try:
        return _decode(token, anew)
    except (JoseError, ValueError) as error:
        raise _refused(provider, f"its signature is not the provider's ({error})") from error


def _decode(token: str, keys: Document) -> tuple[dict[str, Any], dict[str, Any]]:
    from joserfc import jwt  # noqa: PLC0415 (an extra)
    from joserfc.jwk import KeySet  # noqa: PLC0415

    found = jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]  # a document of the provider's
    return dict(found.claims), dict(found.header)


def _check_claims(
    provider: IdentityProvider, claims: dict[str, Any], header: dict[str, Any], nonce: str
) -> None:
    from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 (an extra)
    from joserfc.errors import JoseError  # noqa: PLC0415

    options = {
        "iss": {"essential": True, "value": provider.issuer},
        "aud": {"essential": True, "value": provider.client_id},
        "sub": {"essential": True},
        "exp": {"essential": True},
        "nonce": {"essential": True, "value": nonce},
    }
    params = {"nonce": nonce, "client_id": provider.client_id}
    try:
        CodeIDToken(claims, header, options, params).validate(leeway=LEEWAY_S)
    except (JoseError, ValueError) as error:
        raise _refused(provider, str(error)) from error
    if not isinstance(claims["sub"], str):
        raise _refused(provider, "its subject is no text")


def _refused(provider: IdentityProvider, why: str) -> IdentityError:
    return IdentityError(
        f"The ID token of {provider.issuer} is refused: {why}. Sign in again; if that repeats, "
        f"tell who runs this server."
    )
