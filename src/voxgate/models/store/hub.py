"""`Hub`: the hub's file API through its own client, `huggingface_hub`.

The client's functions are used, and not its cache: what a repository has (`model_info`), and the
transfer of one file (`http_get`, with its retries and ranges) into a file of ours. Its ways to
download a folder begin a file anew when their process was killed, and a file of weights has
gigabytes. Xet, the hub's other transport, is not used: it talks to other hosts than the hub's.
"""

# ruff: noqa: PLC0415 (the client is imported when something is pulled)
from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from voxgate import __version__
from voxgate.errors import (
    HubAccessError,
    HubError,
    NoWeightsError,
    UnknownRepositoryError,
    VoxgateError,
    WrongContentError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError


# MERGED registry.hub_failures
# What the hub's client raises, as sentences with a next step.

TOKENS_PAGE = "https://huggingface.co/settings/tokens"


@contextmanager
def hub_errors(repository: str, revision: str | None, *, with_token: bool) -> Iterator[None]:
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
            f"give a token of yours ({TOKENS_PAGE}) with --token or in HF_TOKEN."
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
            f"with the same account, or take another token from {TOKENS_PAGE}."
        )
    return HubAccessError(
        f"{repository} is gated: the hub gives it to those who accepted its terms on {page}. Then "
        f"make a token on {TOKENS_PAGE} and give it with --token or in HF_TOKEN."
    )


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


HUB_TIMEOUT_S = 30.0  # how long the hub may take to say what a repository has
COMMIT_PATTERN = re.compile(r"[0-9a-f]{40}")
CLIENT_ENVIRONMENT = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
"""Read by the client when it is imported. Telemetry asks for a list and keeps it in ~/.cache."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub announces it: one of the two hashes is there."""

    name: str
    nbytes: int
    sha256: str | None  # of what lies in LFS
    git_blob: str | None  # of what lies in git itself


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one commit."""

    repository: str
    commit: str
    files: dict[str, RemoteFile]


class Hub:
    """The hub at HF_ENDPOINT, asked as the bearer of a token, or as nobody."""

    def __init__(self, token: str | None) -> None:
        os.environ.update(CLIENT_ENVIRONMENT)
        try:
            from huggingface_hub import HfApi, logging
        except ModuleNotFoundError as error:
            raise NoWeightsError(
                "Models are pulled with huggingface_hub, not installed here: "
                '`pip install "voxgate[voxtral]"`.'
            ) from error
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # what goes wrong in the end is told in our own sentences
        self._token: str | bool = token or False
        self._api: HfApi = HfApi(
            endpoint=os.environ.get("HF_ENDPOINT", "").rstrip("/") or None,  # now, not at import
            token=self._token,
            library_name="voxgate",
            library_version=__version__,
        )

    def listing(self, repository: str, revision: str | None) -> Listing:
        """What a repository has; the revision, by any name, becomes a commit.

        Raises `HubError` and its kinds.
        """
        with hub_errors(repository, revision, with_token=bool(self._token)):
            info = self._api.model_info(
                repository, revision=revision, files_metadata=True, timeout=HUB_TIMEOUT_S
            )
        if not COMMIT_PATTERN.fullmatch(info.sha or ""):
            raise WrongContentError(
                f"{self._api.endpoint} does not say at which commit {repository} is. See that "
                f"HF_ENDPOINT names a hub."
            )
        found = map(_remote_file, info.siblings or ())
        return Listing(repository, str(info.sha), {file.name: file for file in found if file})

    def fetch(self, listing: Listing, name: str, part: Path, moved: Callable[[int], None]) -> None:
        """Get one file's bytes behind those that `part` has already.

        `moved` is told how many bytes came, or were given up (less than none). Raises `HubError`
        and its kinds, and `OSError` of the disk. What came stays in `part`, unless it is wrong.
        """
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

        file = listing.files[name]
        if part.exists() and part.stat().st_size > file.nbytes:
            part.unlink()
        headers = build_hf_headers(
            token=self._token, library_name="voxgate", library_version=__version__
        )
        url = hf_hub_url(
            listing.repository, name, revision=listing.commit, endpoint=self._api.endpoint
        )
        try:
            with (
                hub_errors(listing.repository, None, with_token=bool(self._token)),
                part.open("ab") as target,
            ):
                count = _Count(file, target.tell(), moved)
                http_get(
                    url,
                    target,
                    resume_size=target.tell(),
                    headers={**headers, "Accept-Encoding": "identity"},
                    expected_size=file.nbytes,
                    displayed_filename=name,
                    tqdm_class=cast("Any", count.as_bar),
                )
        except WrongContentError:
            part.unlink(missing_ok=True)
            raise


class _Count:
    """What the client takes for a bar of progress. Ends a file that goes on and on."""

    def __init__(self, file: RemoteFile, done: int, moved: Callable[[int], None]) -> None:
        self._file, self._done, self._moved = file, done, moved

    def as_bar(self, **_shown: object) -> _Count:
        return self

    def update(self, nbytes: int) -> None:
        self._done += nbytes
        if self._done > self._file.nbytes:
            raise WrongContentError(
                f"{self._file.name} has more than the {self._file.nbytes} bytes that the hub "
                f"announces. It was deleted: pull again, and if it comes again, tell the owner of "
                f"the repository."
            )
        self._moved(nbytes)

    def __enter__(self) -> _Count:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is shown, so nothing is cleared."""


def _remote_file(sibling: Any) -> RemoteFile | None:
    """None for files below other folders: no checkpoint has any."""
    if "/" in sibling.rfilename:
        return None
    lfs = sibling.lfs
    size = lfs.size if lfs else sibling.size
    if not isinstance(size, int) or not (lfs or sibling.blob_id):
        raise UnknownRepositoryError(
            f"The hub says neither size nor hash of {sibling.rfilename}. See that HF_ENDPOINT "
            f"names a hub."
        )
    return RemoteFile(
        sibling.rfilename, size, lfs.sha256 if lfs else None, None if lfs else sibling.blob_id
    )
