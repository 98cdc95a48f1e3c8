"""`pull`: a model from the hub to this machine, whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.errors import CheckpointError, DiskFullError, WrongContentError
from voxgate.registry import durable, selection
from voxgate.registry.amounts import shown
from voxgate.registry.hashes import git_blob_of, sha256_of
from voxgate.registry.hub import Hub, Listing
from voxgate.registry.names import aliased, free
from voxgate.registry.record import WEIGHTS
from voxgate.registry.watch import Watch
from voxgate.voxtral.folder import INDEX, read_json

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.registry.record import Record
    from voxgate.registry.registry import Registry
    from voxgate.registry.staging import Staging
    from voxgate.voxtral.folder import Layout

SILENT = Watch()


def pull(
    registry: Registry,
    name: str,
    revision: str | None = None,
    token: str | None = None,
    watch: Watch = SILENT,
) -> Record:
    """Fetch a repository's model, or find that it is here already at that commit.

    `name` is a repository, or an alias of Voxtral Mini or Small. Of a revision before this one
    nothing is left. Raises `UsageError`, `HubError`, `CheckpointError`, `DiskFullError` and
    `RegistryError`; what was fetched then is kept for the next try, unless it is of no use.
    """
    family = aliased(name)
    name = family.repository if family else free(name)
    registry.refuse_added(name)
    with durable.told(registry.places.models), registry.changing(name, watch.say):
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
    watch: Watch

    def run(self) -> Layout:
        """Fetch and verify everything, the files that tell whether it is worth it first."""
        repository, files = self.listing.repository, self.listing.files
        layout = selection.layout_of(repository, files)
        described = selection.described_by(layout, files)
        self._get_all(described)
        tables = {name: read_json(self.staging.file(name)) for name in described}
        selection.shape_of(repository, layout, tables[described[0]])
        sizes = {name: file.nbytes for name, file in files.items()}
        rest = selection.rest(repository, layout, sizes, tables.get(INDEX))
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
                f"{repository} needs {shown(needed)} more on the disk of {self.staging.path}, and "
                f"{shown(free)} are free. Free some, or name a folder on a larger disk in "
                f"VOXGATE_HOME."
            )
        memory = sum(files[name].nbytes for name in names if name.endswith(WEIGHTS))
        self.watch.say(
            f"{repository} at {self.listing.commit}: {shown(needed)} to fetch, {shown(free)} are "
            f"free. Loaded as it is stored, it will take {shown(memory)} of memory; as balanced, "
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
