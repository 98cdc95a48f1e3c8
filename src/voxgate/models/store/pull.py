"""`pull_model`: fetch a model from the hub, completely or not at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.errors import CheckpointError, VoxgateError, WrongContentError
from voxgate.hardware.memory import format_bytes
from voxgate.models.store import atomic, selection
from voxgate.models.store.files import git_blob_of, sha256_of
from voxgate.models.store.hub import Hub, Listing, hub_host
from voxgate.models.store.names import check_free_name, family_by_alias
from voxgate.models.store.progress import NO_PROGRESS, StoreProgress
from voxgate.models.store.record import WEIGHT_SUFFIXES
from voxgate.offline import is_local, offline_error
from voxgate.voxtral.checkpoint.directory import INDEX_FILE, read_json

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.models.checkpoint import Layout
    from voxgate.models.store.record import ModelRecord
    from voxgate.models.store.registry import Registry
    from voxgate.models.store.staging import Staging
    from voxgate.settings import Settings


def check_network(settings: Settings, name: str) -> None:
    """Raise `VoxgateError` (`offline`) where the settings forbid to fetch a model from the hub."""
    if settings.offline and not is_local(hub_host()):
        raise offline_error(
            f"This would fetch {name} from the hub",
            "`voxgate models export` on a machine with a network and `voxgate models import FILE` "
            "here do without it.",
        )


def pull_model(
    registry: Registry,
    name: str,
    revision: str | None = None,
    token: str | None = None,
    progress: StoreProgress = NO_PROGRESS,
) -> ModelRecord:
    """Fetch a repository's model, unless it is already installed at that commit.

    `name` is a repository, or an alias of a published Voxtral or Whisper. An earlier revision is
    deleted. Raises `UsageError`, `HubError`, `CheckpointError`, `VoxgateError` (`disk_full`) and
    `RegistryError`. What was fetched until then is kept for the next attempt, unless it is useless.
    """
    family = family_by_alias(name)
    name = family.repository if family else check_free_name(name)
    registry.check_not_added(name)
    with atomic.store_errors(registry.paths.models), registry.lock_model(name, progress.on_message):
        hub = Hub(token)
        listing = hub.listing(name, revision)
        installed = registry.find_unchanged(name, listing.commit)
        if installed is not None:
            progress.on_message(f"{name} is already installed, at {listing.commit}.")
            return installed
        staging = registry.staging(name, listing.commit)
        try:
            layout = _Transfer(listing, hub, staging, progress).run()
            return registry.install(name, listing.commit, "pull", layout, staging)
        except CheckpointError:
            staging.delete()  # another attempt would fetch the same
            raise


@dataclass(frozen=True)
class _Transfer:
    """The transfer of a repository's files into the staging folder."""

    listing: Listing
    hub: Hub
    staging: Staging
    progress: StoreProgress

    def run(self) -> Layout:
        """Fetch and verify all files, beginning with those that describe the model."""
        repository, files = self.listing.repository, self.listing.files
        layout = selection.choose_layout(repository, files)
        descriptions = selection.description_files(layout, files)
        self._fetch_all(descriptions)
        tables = {name: read_json(self.staging.file(name)) for name in descriptions}
        selection.check_config(repository, layout, tables[descriptions[0]])
        sizes = {name: file.nbytes for name, file in files.items()}
        rest = selection.remaining_files(repository, layout, sizes, tables.get(INDEX_FILE))
        self.staging.keep_only({*descriptions, *rest})
        self._check_disk_space(rest)
        self._fetch_all(rest)
        return layout

    def _check_disk_space(self, names: tuple[str, ...]) -> None:
        """Raise `disk_full` unless the files fit, and report what will be fetched."""
        repository, files = self.listing.repository, self.listing.files
        total = sum(files[name].nbytes for name in names)
        needed = total - sum(self.staging.present_bytes(name) for name in names)
        free = shutil.disk_usage(self.staging.path).free
        if needed > free:
            raise VoxgateError(
                f"{repository} needs {format_bytes(needed)} more on the disk of "
                f"{self.staging.path}, and {format_bytes(free)} are free. Free some, or name a "
                f"folder on a larger disk in VOXGATE_HOME.",
                code="disk_full",
            )
        memory = sum(files[name].nbytes for name in names if name.endswith(WEIGHT_SUFFIXES))
        self.progress.on_message(
            f"{repository} at {self.listing.commit}: {format_bytes(needed)} to fetch, "
            f"{format_bytes(free)} are free. Loaded as they are stored, its weights take "
            f"{format_bytes(memory)} of memory; with 8 bits, half."
        )

    def _fetch_all(self, names: tuple[str, ...]) -> None:
        files = self.listing.files
        total = sum(files[name].nbytes for name in names)
        before = 0
        for name in names:
            if not self.staging.file(name).exists():
                self._fetch(name, before, total)
            before += files[name].nbytes
            self.progress.on_bytes(name, before, total)

    def _fetch(self, name: str, before: int, total: int) -> None:
        part = self.staging.part(name)
        resumed = part.exists()
        done = before + (part.stat().st_size if resumed else 0)

        def on_bytes(nbytes: int) -> None:
            nonlocal done
            done += nbytes
            self.progress.on_bytes(name, done, total)

        self.hub.fetch(self.listing, name, part, on_bytes)
        if self._matches_hash(name, part):
            self.staging.complete(name)
            return
        part.unlink()
        if not resumed:
            raise WrongContentError(
                f"{name} is not what the hub announced: its hash differs. It was deleted: pull "
                f"{self.listing.repository} again, and if that fails again, tell its owner."
            )
        self._fetch(name, before, total)  # the bytes from before may be wrong: fetch all of it

    def _matches_hash(self, name: str, part: Path) -> bool:
        file = self.listing.files[name]
        if file.sha256 is not None:
            return sha256_of(part) == file.sha256
        return git_blob_of(part) == file.git_blob
