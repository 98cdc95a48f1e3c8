"""What the hub's client raises, as sentences with a next step."""

# ruff: noqa: PLC0415 (the client is imported when something is pulled)

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from voxgate.errors import (
    HubAccessError,
    HubError,
    UnknownRepositoryError,
    VoxgateError,
    WrongContentError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub.errors import HfHubHTTPError

TOKENS = "https://huggingface.co/settings/tokens"


@contextmanager
def told(repository: str, revision: str | None, *, with_token: bool) -> Iterator[None]:
    """Raise `HubError` and its kinds for the client's errors; the disk's pass as they are."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        yield
    except VoxgateError:
        raise
    except HfHubHTTPError as error:
        raise _answered(error, repository, revision, with_token=with_token) from error
    except OfflineModeIsEnabled as error:
        raise HubError(
            "HF_HUB_OFFLINE is set, so nothing can be pulled. Unset it, or bring the model in a "
            "file: `voxgate models export` where it is, `voxgate models import` here."
        ) from error
    except httpx2.HTTPError as error:
        raise HubError(
            f"The connection to the hub failed ({_reason(error)}). Pull {repository} again: what "
            f"has come is kept."
        ) from error
    except HFValidationError as error:
        raise UnknownRepositoryError(f"'{repository}' is no repository's name: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise  # the disk's
        raise WrongContentError(
            f"A file of {repository} came in another size than the hub announces. It was deleted: "
            f"pull again, and if it comes again, tell the owner of the repository."
        ) from error
    except ValueError as error:
        raise HubError(f"The hub's answer about {repository} makes no sense: {error}.") from error


def _answered(
    error: HfHubHTTPError, repository: str, revision: str | None, *, with_token: bool
) -> HubError:
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    status = error.response.status_code
    if isinstance(error, GatedRepoError) or (
        status in {401, 403} and not isinstance(error, RepositoryNotFoundError)
    ):
        return _gated(repository, with_token=with_token)
    if isinstance(error, RevisionNotFoundError):
        return UnknownRepositoryError(
            f"{repository} has no revision '{revision}'. Name a branch, a tag or a commit with "
            f"--revision, or leave it out."
        )
    if isinstance(error, EntryNotFoundError):
        return UnknownRepositoryError(f"The hub no longer has a file of {repository}. Pull again.")
    if isinstance(error, RepositoryNotFoundError) or status == 404:
        return UnknownRepositoryError(
            f"The hub knows no repository {repository}. See to the spelling; for a private one, "
            f"give a token of yours ({TOKENS}) with --token or in HF_TOKEN."
        )
    return HubError(_refused(status, error.response.headers.get("Retry-After", ""), repository))


def _refused(status: int, wait_s: str, repository: str) -> str:
    if status == 429:
        when = f"in {wait_s} s" if wait_s.isdigit() else "later"
        return (
            f"The hub takes no more requests from here for now (429). Pull {repository} again "
            f"{when}: what has come is kept. With a token (--token or HF_TOKEN) it allows more."
        )
    return f"The hub answered {status} about {repository}. Pull again later: what has come is kept."


def _gated(repository: str, *, with_token: bool) -> HubAccessError:
    page = f"https://huggingface.co/{repository}"
    if with_token:
        return HubAccessError(
            f"The hub refuses {repository} to the bearer of this token. Accept its terms on {page} "
            f"with the same account, or take another token from {TOKENS}."
        )
    return HubAccessError(
        f"{repository} is gated: the hub gives it to those who accepted its terms on {page}. Then "
        f"make a token on {TOKENS} and give it with --token or in HF_TOKEN."
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
