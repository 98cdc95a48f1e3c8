"""`Hub`: the hub's file API through its own client, `huggingface_hub`.

The client lists a repository (`model_info`) and transfers one file (`http_get`, with its retries
and ranges) into a path of the store. Its cache is not used. Neither are its functions that download
a folder: after their process was killed they start a file over, and weights have gigabytes.
Xet, the hub's other transport, is not used, because it connects to other hosts than the hub.
"""

# ruff: noqa: PLC0415 (the client is imported for a pull only)
from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from voxgate._version import __version__
from voxgate.errors import EngineStartError, HubError, VoxgateError, WrongContentError
from voxgate.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

TOKENS_PAGE = "https://huggingface.co/settings/tokens"
DEFAULT_HUB = "https://huggingface.co"  # unless HF_ENDPOINT names another
HUB_TIMEOUT_S = 30.0  # for the list of a repository's files
COMMIT_PATTERN = re.compile(r"[0-9a-f]{40}")
CLIENT_ENVIRONMENT = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
"""Read by the client when it is imported. Its telemetry stores a list in ~/.cache."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file as the hub announces it, with one of the two hashes."""

    name: str
    nbytes: int
    sha256: str | None  # of a file in LFS
    git_blob: str | None  # of a file in git itself


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one commit."""

    repository: str
    commit: str
    files: dict[str, RemoteFile]


class Hub:
    """The hub at HF_ENDPOINT, with a token or anonymously.

    Raises `EngineStartError` (`no_endpoints`) when the client is not installed.
    """

    def __init__(self, token: str | None) -> None:
        os.environ.update(CLIENT_ENVIRONMENT)
        try:
            from huggingface_hub import HfApi, logging
        except ModuleNotFoundError as error:
            raise EngineStartError(
                f"Models are pulled with huggingface_hub, not installed here: "
                f"`{Installation.find().install_packages('huggingface_hub')}`.",
                code="no_endpoints",
            ) from error
        logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # failures become errors of Voxgate
        self._token: str | bool = token or False
        self._api: HfApi = HfApi(
            endpoint=os.environ.get("HF_ENDPOINT", "").rstrip("/")
            or None,  # read now, not at import
            token=self._token,
            library_name="voxgate",
            library_version=__version__,
        )

    def listing(self, repository: str, revision: str | None) -> Listing:
        """List a repository's files, and resolve a branch, tag or commit to a commit.

        Raises `HubError` and its subclasses.
        """
        with hub_errors(repository, revision, with_token=bool(self._token)):
            info = self._api.model_info(
                repository, revision=revision, files_metadata=True, timeout=HUB_TIMEOUT_S
            )
        if not COMMIT_PATTERN.fullmatch(info.sha or ""):
            raise WrongContentError(
                f"{self._api.endpoint} does not report the commit of {repository}. Check that "
                f"HF_ENDPOINT names a hub."
            )
        found = map(_remote_file, info.siblings or ())
        return Listing(repository, str(info.sha), {file.name: file for file in found if file})

    def fetch(
        self, listing: Listing, name: str, part: Path, on_bytes: Callable[[int], None]
    ) -> None:
        """Append to `part` the bytes of a file that it does not have yet.

        `on_bytes` is called with the number of bytes that came; it is negative for bytes that were
        discarded. Raises `HubError` and its subclasses, and `OSError` for the disk. What was
        fetched stays in `part`, unless it is wrong.
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
                count = _ByteCounter(file, target.tell(), on_bytes)
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


class _ByteCounter:
    """Takes the place of the client's progress bar, and stops a file that is too long."""

    def __init__(self, file: RemoteFile, nbytes: int, on_bytes: Callable[[int], None]) -> None:
        self._file, self._nbytes, self._on_bytes = file, nbytes, on_bytes

    def as_bar(self, **_options: object) -> _ByteCounter:
        return self

    def update(self, nbytes: int) -> None:
        self._nbytes += nbytes
        if self._nbytes > self._file.nbytes:
            raise WrongContentError(
                f"{self._file.name} has more than the {self._file.nbytes} bytes that the hub "
                f"announced. It was deleted: pull again, and if that fails again, tell the owner "
                f"of the repository."
            )
        self._on_bytes(nbytes)

    def __enter__(self) -> _ByteCounter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: there is no bar to clear."""


def _remote_file(sibling: Any) -> RemoteFile | None:
    """Return a file of the listing; None for files in subfolders, which no checkpoint has."""
    if "/" in sibling.rfilename:
        return None
    lfs = sibling.lfs
    size = lfs.size if lfs else sibling.size
    if not isinstance(size, int) or not (lfs or sibling.blob_id):
        raise HubError(
            f"The hub reports no size or no hash of {sibling.rfilename}. Check that HF_ENDPOINT "
            f"names a hub.",
            code="repository_not_found",
        )
    return RemoteFile(
        sibling.rfilename, size, lfs.sha256 if lfs else None, None if lfs else sibling.blob_id
    )


@contextmanager
def hub_errors(repository: str, revision: str | None, *, with_token: bool) -> Iterator[None]:
    """Turn the client's errors into `HubError` and its subclasses. Errors of the disk pass."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        yield
    except VoxgateError:
        raise
    except HfHubHTTPError as error:
        raise _http_error(error, repository, revision, with_token=with_token) from error
    except OfflineModeIsEnabled as error:
        raise HubError(
            "HF_HUB_OFFLINE is set, so nothing can be pulled. Unset it, or bring the model in a "
            "file: `voxgate models export` where it is, `voxgate models import` here."
        ) from error
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        raise HubError(
            f"There is no connection to the hub at {hub_host()} ({_reason(error)}): this machine "
            f"has no network, or nothing answers there. Pull {repository} again when there is one: "
            f"what was fetched is kept. Without a network, `voxgate models export` on another "
            f"machine and `voxgate models import FILE` here bring it in a file, and `voxgate "
            f"models add DIR` takes a checkpoint's folder."
        ) from error
    except httpx2.HTTPError as error:
        raise HubError(
            f"The connection to the hub failed ({_reason(error)}). Pull {repository} again: what "
            f"was fetched is kept."
        ) from error
    except HFValidationError as error:
        raise HubError(
            f"'{repository}' is not the name of a repository: {error}", code="repository_not_found"
        ) from error
    except OSError as error:
        if error.errno is not None:
            raise  # an error of the disk
        raise WrongContentError(
            f"A file of {repository} has another size than the hub announced. It was deleted: pull "
            f"again, and if that fails again, tell the owner of the repository."
        ) from error
    except ValueError as error:
        raise HubError(f"The hub's answer about {repository} is invalid: {error}.") from error


def _http_error(
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
        return _access_error(repository, with_token=with_token)
    if isinstance(error, RevisionNotFoundError):
        return HubError(
            f"{repository} has no revision '{revision}'. Name a branch, a tag or a commit with "
            f"--revision, or leave it out.",
            code="repository_not_found",
        )
    if isinstance(error, EntryNotFoundError):
        return HubError(
            f"The hub no longer has a file of {repository}. Pull again.",
            code="repository_not_found",
        )
    if isinstance(error, RepositoryNotFoundError) or status == 404:
        return HubError(
            f"The hub knows no repository {repository}. Check the spelling; for a private one, "
            f"give your token ({TOKENS_PAGE}) with --token or in HF_TOKEN.",
            code="repository_not_found",
        )
    return HubError(
        _status_sentence(status, error.response.headers.get("Retry-After", ""), repository)
    )


def _status_sentence(status: int, wait_s: str, repository: str) -> str:
    if status == 429:
        when = f"in {wait_s} s" if wait_s.isdigit() else "later"
        return (
            f"The hub accepts no more requests from here for now (429). Pull {repository} again "
            f"{when}: what was fetched is kept. With a token (--token or HF_TOKEN) it allows more."
        )
    return (
        f"The hub answered {status} about {repository}. Pull again later: what was fetched is kept."
    )


def _access_error(repository: str, *, with_token: bool) -> HubError:
    page = f"https://huggingface.co/{repository}"
    if with_token:
        return HubError(
            f"The hub refuses {repository} to the bearer of this token. Accept its terms on {page} "
            f"with the same account, or take another token from {TOKENS_PAGE}.",
            code="hub_access_denied",
        )
    return HubError(
        f"{repository} is gated: the hub gives it to those who accepted its terms on {page}. Then "
        f"make a token on {TOKENS_PAGE} and give it with --token or in HF_TOKEN.",
        code="hub_access_denied",
    )


def hub_host() -> str:
    """Return the host of the hub: that of HF_ENDPOINT, else the official one's."""
    return urlsplit(os.environ.get("HF_ENDPOINT") or DEFAULT_HUB).hostname or DEFAULT_HUB


def _reason(error: Exception) -> str:
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
