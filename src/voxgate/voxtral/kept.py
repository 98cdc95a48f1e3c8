"""Where quantised weights are kept on the disk, and what they are known by."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from voxgate.settings import Settings
from voxgate.voxtral import operators, takeover
from voxgate.voxtral.profiles import PROFILES

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.voxtral.folder import Folder
    from voxgate.voxtral.profiles import Profile

FORMAT = 2  # of the arrays' meaning: a new one makes every store anew
ROOM = 1.02  # times the weights' bytes must be free on the disk
FILE = "weights"


@dataclass(frozen=True, slots=True)
class Place:
    """One file that may hold a checkpoint's weights in a profile."""

    file: Path
    key: str
    others: str  # a pattern, beside the file's folder, of what the same profile left before

    def make(self, needed: int) -> None:
        """Make the folder. Raises `OSError` where it cannot be, or has too little space."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self.file.parent).free < ROOM * needed:
            raise OSError(errno.ENOSPC, f"{needed / 1e9:.1f} GB are needed, and not free")

    def tidy(self) -> None:
        """Take away what was made of another state of the checkpoint, or by another PyTorch."""
        for folder in self.file.parent.parent.glob(self.others):
            if folder != self.file.parent:
                shutil.rmtree(folder, ignore_errors=True)  # somebody else's: then it stays


def places(folder: Folder, profile: Profile) -> list[Place]:
    """Beside the checkpoint; else in the home. In the order of preference."""
    key = _key(folder, profile)
    beside = folder.path / f".voxgate-{profile}-{key[:12]}"
    origin = hashlib.sha256(str(folder.path).encode()).hexdigest()[:12]
    home = Settings.read().home.expanduser() / "quantised" / f"{origin}-{profile}-{key[:12]}"
    return [
        Place(beside / FILE, key, f".voxgate-{profile}-*"),
        Place(home / FILE, key, f"{origin}-{profile}-*"),
    ]


def _key(folder: Folder, profile: Profile) -> str:
    """Everything that the arrays depend on: files, scheme, and how this PyTorch packs."""
    schemes = asdict(PROFILES[profile])
    known = {
        "format": FORMAT,
        "schemes": schemes,
        "config": asdict(folder.config),
        "files": [
            (path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.files
        ],
        "torch": torch.__version__,
        "int8": operators.order() if operators.restorable() else "rows",
    }
    if "int4" in schemes.values():
        known["int4"] = takeover.int4_form() or operators.int4_block()
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
