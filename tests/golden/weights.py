"""The cache of quantised weights: its key, its header, and that a file of former code is mapped.

    .voxgate-PROFILE-KEY[:12]/weights    the arrays, a JSON header, its length, CRC-32 and magic

The key is the SHA-256 of what `_key` lists. How the arrays lie depends on the processor and on
PyTorch: where they lie differently from the recorded files, a file of the present code takes their
place, and the arrays are not compared.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import struct
import zlib
from typing import TYPE_CHECKING, Any

import torch

from tests.cli.command import CliRunner, isolated_cli
from tests.golden import checkpoint
from tests.golden.cases import DATA, Case, case
from tests.golden.names import int4_form, int8_form

if TYPE_CHECKING:
    from pathlib import Path

TEKKEN = DATA.parent / "voxtral-digits" / "tekken.json"
FORMS = DATA / "weights.forms.json"
END = struct.Struct("<QI4s")  # the header's length, its CRC-32, the magic word
SCHEMES = {
    "balanced": {"encoder": "int8", "projector": "int8", "language_model": "int8", "head": "int8"},
    "fast": {"encoder": "int8", "projector": "int8", "language_model": "int4", "head": "int8"},
}
CONFIG = {
    "encoder": {"mels": 128, "width": 8, "layers": 1, "heads": 2, "ffn_width": 32},
    "decoder": {
        "width": 32, "layers": 1, "heads": 2, "kv_heads": 1, "head_dim": 16, "ffn_width": 32,
        "vocabulary": 1300, "context": 4096, "rope_theta": 1e8, "norm_eps": 1e-5,
    },
    "audio_token": 24,
    "own_head": False,
}  # fmt: skip


def write(folder: Path) -> None:
    """Keep the files that the present code makes: only when the format is meant to change."""
    with isolated_cli(folder) as cli:
        for profile in SCHEMES:
            file = _started(cli, profile, None)
            _old(profile).write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))
    FORMS.write_text(json.dumps({profile: _form(profile) for profile in SCHEMES}) + "\n", "utf-8")


def collect(folder: Path) -> dict[str, Case]:
    """Start an engine on an old file in each profile; in `balanced` also on none."""
    found = {}
    forms = json.loads(FORMS.read_text("utf-8"))
    with isolated_cli(folder) as cli:
        for profile in SCHEMES:
            old = gzip.decompress(_old(profile).read_bytes())
            if profile == "balanced" or forms[profile] != _form(profile):
                made = _started(cli, profile, None).read_bytes()
                arrays = _header(made)["arrays"]
                found[f"{profile} names"] = Case(_names(arrays))
                found[f"{profile} arrays {_form(profile)}"] = Case(arrays)
                old = old if forms[profile] == _form(profile) else made
            found[f"{profile} old file"] = _mapped(cli, profile, old)
    return found


def _form(profile: str) -> str:
    """How the arrays lie here."""
    return int8_form()[:12] + (f" {int4_form()}" if profile == "fast" else "")


def _mapped(cli: CliRunner, profile: str, old: bytes) -> Case:
    """Whether an engine leaves the old file as it is, and makes no other."""
    file = _started(cli, profile, old)
    stat = file.stat()
    others = sorted(path.name for path in file.parent.parent.glob(".voxgate-*"))
    return case({
        "key": _header(file.read_bytes())["key"] == _key(file.parent.parent, profile),
        "kept": stat.st_mtime_ns == checkpoint.MTIME_NS,
        "folders": [name.replace(file.parent.name[-12:], "<key>") for name in others],
    })  # fmt: skip


def _started(cli: CliRunner, profile: str, old: bytes | None) -> Path:
    """Start an engine, with an old file if there is one, and end it; return the file it uses."""
    folder = cli.folder / "tiny"
    shutil.rmtree(folder, ignore_errors=True)
    checkpoint.write(folder, tekken=TEKKEN)
    key = _key(folder, profile)
    file = folder / f".voxgate-{profile}-{key[:12]}" / "weights"
    if old is not None:
        file.parent.mkdir()
        file.write_bytes(_keyed(old, key))
        os.utime(file, ns=(checkpoint.MTIME_NS, checkpoint.MTIME_NS))
    settings = {"VOXGATE_PROFILE": profile, "VOXGATE_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    socket = cli.temp / "engine"
    with cli.running("engine", str(folder), "--socket", str(socket), **settings) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        if "ready" not in process.stdout.readline():
            raise AssertionError(process.stderr.read())
        process.terminate()
        assert process.wait() == 0
    assert file.exists(), [str(path) for path in folder.iterdir()]
    return file


def _key(folder: Path, profile: str) -> str:
    """What the key is made of, written out: a name that changes here orphans every old file."""
    stat = (folder / "model.safetensors").stat()
    known: dict[str, Any] = {
        "format": 2,
        "schemes": SCHEMES[profile],
        "config": CONFIG,
        "files": [("model.safetensors", stat.st_size, stat.st_mtime_ns)],
        "torch": torch.__version__,
        "int8": int8_form(),
    }
    if "int4" in SCHEMES[profile].values():
        known["int4"] = int4_form()
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def _header(file: bytes) -> dict[str, Any]:
    """The header by the documented layout."""
    length, checksum, magic = END.unpack(file[-END.size :])
    text = file[-END.size - length : -END.size]
    assert (magic, zlib.crc32(text)) == (b"vxg1", checksum)
    header: dict[str, Any] = json.loads(text)
    return header


def _keyed(file: bytes, key: str) -> bytes:
    """The file with another key: that of this PyTorch and of this file system's times."""
    header = _header(file)
    length = END.unpack(file[-END.size :])[0]
    text = json.dumps({"key": key, "arrays": header["arrays"]}).encode()
    return file[: -END.size - length] + text + END.pack(len(text), zlib.crc32(text), b"vxg1")


def _names(arrays: dict[str, Any]) -> list[str]:
    """The parts of the network that the arrays are of: the same in every form."""
    return list(dict.fromkeys(name.partition(":")[0] for name in arrays))


def _old(profile: str) -> Path:
    return DATA / f"weights-{profile}.gz"
