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
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from voxgate import __version__
from voxgate.errors import NoWeightsError, UnknownRepositoryError, WrongContentError
from voxgate.registry import hub_failures

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from huggingface_hub import HfApi

ANSWER_S = 30.0  # how long the hub may take to say what a repository has
COMMIT = re.compile(r"[0-9a-f]{40}")
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}
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
        os.environ.update(QUIET)
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
        with hub_failures.told(repository, revision, with_token=bool(self._token)):
            info = self._api.model_info(
                repository, revision=revision, files_metadata=True, timeout=ANSWER_S
            )
        if not COMMIT.fullmatch(info.sha or ""):
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
                hub_failures.told(listing.repository, None, with_token=bool(self._token)),
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
