"""Whisper's encoder by the native kernels, beside CTranslate2's with the same weights."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import ctranslate2
import numpy as np
import pytest
from faster_whisper import decode_audio
from faster_whisper.feature_extractor import FeatureExtractor

from tests.whisper.weights import copy_of, whisper_folder
from voxgate.errors import CheckpointError
from voxgate.hardware import native_kernels
from voxgate.whisper import kernels
from voxgate.whisper.directory import open_whisper_directory
from voxgate.whisper.encoder import Encoder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

ROOT = Path(__file__).parents[2]
VOICE_NOTE = ROOT / "samples" / "voice-note.flac"

needs_kernels = pytest.mark.skipif(
    kernels.why_unavailable() is not None, reason=f"no native kernels: {kernels.why_unavailable()}"
)


@cache
def features() -> list[Floats]:
    """Speech from its beginning and from a later place, then silence, as a model sees them."""
    sound, extract = decode_audio(str(VOICE_NOTE)), FeatureExtractor()
    found = []
    for part in (sound, sound[30_000:], np.zeros(1600, np.float32)):
        window = extract(part)[:, :3000]
        found.append(np.pad(window, ((0, 0), (0, 3000 - window.shape[1]))).astype(np.float32))
    return found


@cache
def by_ctranslate2(compute_type: str) -> Floats:
    model = ctranslate2.models.Whisper(str(whisper_folder()), compute_type=compute_type)
    batch = ctranslate2.StorageView.from_array(np.stack(features()))
    return np.asarray(model.encode(batch))


@cache
def loaded(threads: int) -> Encoder:
    encoder = Encoder.load(open_whisper_directory(whisper_folder()), threads)
    assert encoder
    return encoder


def error(ours: Floats, exact: Floats) -> float:
    return float(np.linalg.norm(ours - exact) / np.linalg.norm(exact))


@pytest.fixture(params=native_kernels.levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each level that this processor has, in use."""
    assert kernels.load_kernels().use(request.param)
    yield request.param
    assert kernels.load_kernels().use(native_kernels.level() or "")


@needs_kernels
def test_it_is_as_exact_as_ctranslate2_with_8_bits(level: str) -> None:
    exact, theirs = by_ctranslate2("float32"), by_ctranslate2("int8")
    assert error(loaded(1).encode(features()), exact) <= 1.05 * error(theirs, exact)


@needs_kernels
def test_a_window_depends_neither_on_the_others_nor_on_threads_nor_on_other_calls() -> None:
    together = loaded(1).encode(features())
    assert np.array_equal(loaded(3).encode(features()), together)
    with ThreadPoolExecutor(3) as pool:
        alone = list(pool.map(lambda window: loaded(1).encode([window]), features()))
    assert np.array_equal(np.concatenate(alone), together)


def test_without_kernels_ctranslate2_encodes() -> None:
    script = (
        "import numpy as np\n"
        "from tests.whisper.test_encoder import by_ctranslate2, features, whisper_folder\n"
        "from voxgate.whisper.model import Whisper\n"
        "ours = Whisper.load(whisper_folder()).encode(features())\n"
        "print(np.abs(ours - by_ctranslate2('int8')).max())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"VOXGATE_KERNELS": "off"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert float(done.stdout) < 1e-3  # a batch's sums may be added in another order


@needs_kernels
@pytest.mark.parametrize(
    ("name", "other"),
    [
        (b"encoder/layer_norm/gamma", b"encoder/layer_norm/gone!"),
        (b"encoder/layer_0/ffn/linear_0/bias", b"encoder/layer_7/ffn/linear_0/bias"),
    ],
)
def test_a_model_whose_weights_do_not_fit_is_refused(
    tmp_path: Path, name: bytes, other: bytes
) -> None:
    folder = copy_of(whisper_folder(), tmp_path / "less", "model.bin")
    data = (whisper_folder() / "model.bin").read_bytes()
    (folder / "model.bin").write_bytes(data.replace(name, other))
    with pytest.raises(CheckpointError, match=r"model\.bin cannot be used .*: it lacks 'encoder/"):
        Encoder.load(open_whisper_directory(folder), 1)


@needs_kernels
@pytest.mark.parametrize("heads", [0, 7, 64])
def test_heads_that_the_kernels_do_not_take_are_left_to_ctranslate2(
    tmp_path: Path, heads: int
) -> None:
    folder = copy_of(whisper_folder(), tmp_path / "other", "model.bin")
    data = (whisper_folder() / "model.bin").read_bytes()
    before = b"encoder/num_heads\0" + struct.pack("<BBI", 0, 2, 2)  # a number of 16 bits
    assert before + struct.pack("<h", 8) in data
    changed = data.replace(before + struct.pack("<h", 8), before + struct.pack("<h", heads))
    (folder / "model.bin").write_bytes(changed)
    assert Encoder.load(open_whisper_directory(folder), 1) is None
