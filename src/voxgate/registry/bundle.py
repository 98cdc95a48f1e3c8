"""`Bundle`: a model as one file, for machines without a network.

An uncompressed tar (weights do not shrink): first `voxgate-model.json`, which has the record with
every file's size and SHA-256, then those files in that order. Any tar can list and unpack it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.errors import BundleError, UsageError
from voxgate.registry.names import free
from voxgate.registry.record import VERSION, Record

if TYPE_CHECKING:
    from typing import Any

MANIFEST = "voxgate-model.json"
MANIFEST_BYTES = 2**20  # the most it may have; a model of 100 files has 20 KB


@dataclass(frozen=True, slots=True)
class Bundle:
    """What the first member says of the others."""

    record: Record  # its folder is that of another machine, and means nothing here

    def text(self) -> bytes:
        """The first member."""
        facts: dict[str, Any] = {"version": VERSION, **asdict(self.record)}
        del facts["folder"]
        return (json.dumps(facts, indent=2) + "\n").encode()

    @classmethod
    def parse(cls, text: bytes, file: str) -> Bundle:
        """From bytes that anybody may have written. Raises `BundleError`, naming the file."""
        try:
            record = Record.of(json.loads(text), Path())
            free(record.name)
            names = [entry.name for entry in record.files]
            if not names or len(set(names)) != len(names):
                raise ValueError("its files are none, or one of them twice")
        except UsageError as error:
            raise BundleError(f"{file} cannot be imported: {error.sentence}") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise broken(file, f"its {MANIFEST} makes no sense: {error}") from error
        return cls(record)


def broken(file: str, reason: str) -> BundleError:
    """The sentence for a file that is no bundle, or was damaged on its way."""
    return BundleError(
        f"{file} is no whole file of `voxgate models export` ({reason}). Export it again, or copy "
        f"it again."
    )
