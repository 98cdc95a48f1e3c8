"""`pull`: a model from the hub to this machine, whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.errors import CheckpointError, DiskFullError, WrongContentError
from voxgate.hardware.memory import format_bytes
from voxgate.models.store import atomic, selection
from voxgate.models.store.files import git_blob_of, sha256_of
from voxgate.models.store.hub import Hub, Listing
from voxgate.models.store.names import check_free_name, family_by_alias
from voxgate.models.store.progress import StoreProgress
from voxgate.models.store.record import WEIGHTS_SUFFIX
from voxgate.voxtral.checkpoint.directory import INDEX_FILE, read_json

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.models.store.record import ModelRecord
    from voxgate.models.store.registry import Registry
    from voxgate.models.store.staging import Staging
    from voxgate.voxtral.checkpoint.directory import Layout

NO_PROGRESS = StoreProgress()


def pull_model(
    registry: Registry,
    name: str,
    revision: str | None = None,
    token: str | None = None,
    watch: StoreProgress = NO_PROGRESS,
) -> ModelRecord:
    """Fetch a repository's model, or find that it is here already at that commit.

    `name` is a repository, or an alias of Voxtral Mini or Small. Of a revision before this one
    nothing is left. Raises `UsageError`, `HubError`, `CheckpointError`, `DiskFullError` and
    `RegistryError`; what was fetched then is kept for the next try, unless it is of no use.
    """
    family = family_by_alias(name)
    name = family.repository if family else check_free_name(name)
    registry.refuse_added(name)
    with atomic.store_errors(registry.places.models), registry.changing(name, watch.say):
        hub = Hub(token)
        listing = hub.listing(name, revision)
        here = registry.sound(name, listing.commit)
        if here is not None:
            watch.say(f"{name} is here already, at {listing.commit}.")
            return here
        staging = registry.staging(name, listing.commit)
        try:
            layout = _Transfer(listing, hub, staging, watch).run()
            return registry.install(name, listing.commit, "pull", layout, staging)
        except CheckpointError:
            staging.drop()  # of no use however often it is fetched
            raise


@dataclass(frozen=True)
class _Transfer:
    """One repository's files on their way into the staging folder."""

    listing: Listing
    hub: Hub
    staging: Staging
    watch: StoreProgress

    def run(self) -> Layout:
        """Fetch and verify everything, the files that tell whether it is worth it first."""
        repository, files = self.listing.repository, self.listing.files
        layout = selection.choose_layout(repository, files)
        described = selection.description_files(layout, files)
        self._get_all(described)
        tables = {name: read_json(self.staging.file(name)) for name in described}
        selection.check_config(repository, layout, tables[described[0]])
        sizes = {name: file.nbytes for name, file in files.items()}
        rest = selection.remaining_files(repository, layout, sizes, tables.get(INDEX_FILE))
        self.staging.keep_only({*described, *rest})
        self._make_sure_of_room(rest)
        self._get_all(rest)
        return layout

    def _make_sure_of_room(self, names: tuple[str, ...]) -> None:
        """Before gigabytes are fetched, and in the words of whoever has to make the room."""
        repository, files = self.listing.repository, self.listing.files
        total = sum(files[name].nbytes for name in names)
        needed = total - sum(self.staging.present_bytes(name) for name in names)
        free = shutil.disk_usage(self.staging.path).free
        if needed > free:
            raise DiskFullError(
                f"{repository} needs {format_bytes(needed)} more on the disk of "
                f"{self.staging.path}, and "
                f"{format_bytes(free)} are free. Free some, or name a folder on a larger disk in "
                f"VOXGATE_HOME."
            )
        memory = sum(files[name].nbytes for name in names if name.endswith(WEIGHTS_SUFFIX))
        self.watch.say(
            f"{repository} at {self.listing.commit}: {format_bytes(needed)} to fetch, "
            f"{format_bytes(free)} are "
            f"free. Loaded as it is stored, it will take {format_bytes(memory)} of memory; as "
            f"balanced, "
            f"about half."
        )

    def _get_all(self, names: tuple[str, ...]) -> None:
        files = self.listing.files
        total = sum(files[name].nbytes for name in names)
        before = 0
        for name in names:
            if not self.staging.file(name).exists():
                self._get(name, before, total)
            before += files[name].nbytes
            self.watch.moved(name, before, total)

    def _get(self, name: str, before: int, total: int) -> None:
        part = self.staging.part(name)
        resumed = part.exists()
        done = before + (part.stat().st_size if resumed else 0)

        def moved(nbytes: int) -> None:
            nonlocal done
            done += nbytes
            self.watch.moved(name, done, total)

        self.hub.fetch(self.listing, name, part, moved)
        if self._is_right(name, part):
            self.staging.settle(name)
            return
        part.unlink()
        if not resumed:
            raise WrongContentError(
                f"{name} is not what the hub announces: its hash is another. It was deleted: pull "
                f"{self.listing.repository} again, and if it comes again, tell its owner."
            )
        self._get(name, before, total)  # what was here from before may be to blame: all anew

    def _is_right(self, name: str, part: Path) -> bool:
        file = self.listing.files[name]
        if file.sha256 is not None:
            return sha256_of(part) == file.sha256
        return git_blob_of(part) == file.git_blob
