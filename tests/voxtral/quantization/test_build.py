"""Quantised weights: made once, kept beside the checkpoint, and never trusted when they are not."""

import errno
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.hardware import processors
from tests.hardware.processors import processor
from tests.processes import until
from tests.voxtral.signals import chirp
from voxgate.errors import InsufficientMemoryError
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings
from voxgate.voxtral.checkpoint import loader
from voxgate.voxtral.checkpoint.directory import open_directory
from voxgate.voxtral.kernels import dispatch, onednn, ops
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.quantization import weight_cache
from voxgate.voxtral.quantization.profiles import Profile, weight_bytes
from voxgate.voxtral.resumable import run_to_end

WRITTEN_AGAIN = "will be written again"

needs_kernels = pytest.mark.skipif(
    not ops.is_available(), reason=f"no native kernels: {ops.why_unavailable()}"
)


@pytest.fixture
def folder(hf_bf16: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint of one's own, and a home of one's own."""
    monkeypatch.setenv("VOXGATE_HOME", str(tmp_path / "home"))
    return Path(shutil.copytree(hf_bf16, tmp_path / "checkpoint"))


@pytest.fixture(autouse=True)
def _every_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="voxgate")


def made(folder: Path) -> list[Path]:
    return sorted(folder.glob(".voxgate-*/*"))


def heard(model: Voxtral) -> torch.Tensor:
    (audio,) = run_to_end(model.encode([chirp(2.0)]))
    return audio


def test_the_second_start_maps_what_the_first_has_made(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = heard(Voxtral.load(folder, "balanced"))
    (file,) = made(folder)
    before = file.stat()
    assert before.st_size == pytest.approx(
        weight_bytes(open_directory(folder), "balanced"), rel=0.3
    )
    second = heard(Voxtral.load(folder, "balanced"))
    assert torch.equal(first, second)
    assert file.stat() == before
    assert not caplog.records


def test_a_start_from_the_disk_reads_no_more_than_the_quantised_weights(folder: Path) -> None:
    """With the checkpoint's weights cut down to their header, only they are left to read."""
    right = heard(Voxtral.load(folder, "fast"))
    file = folder / "model.safetensors"
    times, size = file.stat(), file.stat().st_size
    header = 8 + int.from_bytes(file.read_bytes()[:8], "little")
    os.truncate(file, header)
    os.truncate(file, size)  # zeros behind it
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert torch.equal(heard(Voxtral.load(folder, "fast")), right)


def touch(folder: Path) -> None:
    os.utime(folder / "model.safetensors", ns=(1, 1))


def other_format(_folder: Path) -> None:
    weight_cache.CACHE_FORMAT += 1


@pytest.mark.parametrize("change", [touch, other_format])
def test_another_checkpoint_or_format_is_made_anew_and_the_old_one_goes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(weight_cache, "CACHE_FORMAT", weight_cache.CACHE_FORMAT)
    Voxtral.load(folder, "balanced")
    Voxtral.load(folder, "fast")
    before = made(folder)
    change(folder)
    Voxtral.load(folder, "balanced")
    after = made(folder)
    assert len(after) == 2
    assert len(set(before) & set(after)) == 1  # the other profile's stays


def test_processors_that_share_a_folder_keep_each_a_file_until_the_checkpoint_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Voxtral.load(folder, "balanced")
    (here,) = made(folder)
    written = here.stat().st_mtime_ns
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(weight_cache, "int8_format", lambda: "the layout of another processor")
        Voxtral.load(folder, "balanced")
        assert len(made(folder)) == 2
    Voxtral.load(folder, "balanced")
    assert here.stat().st_mtime_ns == written
    touch(folder)
    Voxtral.load(folder, "balanced")
    assert len(made(folder)) == 1


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1000)


def overwrite_the_header(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-40] ^= 1
    file.write_bytes(data)


def foreign(file: Path) -> None:
    draft = weight_cache.WeightFileWriter(file)
    with draft:
        draft.add("decoder.norm.weight:", torch.zeros(96))
        draft.commit("somebody else's key")


@pytest.mark.parametrize(
    "spoil",
    [cut, overwrite_the_header, foreign, lambda file: file.write_bytes(b""),
     lambda file: file.write_bytes(os.urandom(5000))],
    ids=["cut", "header", "foreign", "empty", "noise"],
)  # fmt: skip
def test_a_spoilt_file_is_made_anew(
    folder: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], object]
) -> None:
    right = heard(Voxtral.load(folder, "balanced"))
    (file,) = made(folder)
    spoil(file)
    assert torch.equal(heard(Voxtral.load(folder, "balanced")), right)
    assert WRITTEN_AGAIN in caplog.text
    caplog.clear()
    assert torch.equal(heard(Voxtral.load(folder, "balanced")), right)
    assert not caplog.records


def test_a_folder_that_cannot_be_written_has_them_in_the_home(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forbid(monkeypatch, folder)
    right = heard(Voxtral.load(folder, "balanced"))
    assert not made(folder)
    assert len(list((tmp_path / "home" / "quantised").glob("*/weights"))) == 1
    assert f"{folder}" in caplog.text
    caplog.clear()
    assert torch.equal(heard(Voxtral.load(folder, "balanced")), right)
    assert not caplog.records


def test_where_nothing_can_be_written_they_are_made_in_memory_and_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    right = heard(Voxtral.load(folder, "balanced"))
    shutil.rmtree(made(folder)[0].parent)
    forbid(monkeypatch, tmp_path)
    assert torch.equal(heard(Voxtral.load(folder, "balanced")), right)
    assert "quantized in memory" in caplog.text


def forbid(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """As a disk that is mounted for reading: these tests may run as root, whom no mode stops."""
    mkdir = Path.mkdir

    def refusing(self: Path, *args: object, **kwargs: object) -> None:
        if self.is_relative_to(place):
            raise OSError(errno.EROFS, "Read-only file system", str(self))
        mkdir(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", refusing)


FULL = """
import logging, resource, signal, sys
from voxgate.voxtral.kernels import dispatch, onednn, ops
from voxgate.voxtral.model import Voxtral

logging.basicConfig(level=logging.WARNING)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
print(Voxtral.load(sys.argv[1], "balanced").nbytes)
"""


def test_a_disk_that_becomes_full_does_not_keep_it_from_running(folder: Path) -> None:
    """The kernel refuses to write more than 300 kB, in the midst of the second matrix."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) > 1_000_000
    assert "quantized in memory" in done.stderr
    assert not made(folder)


def test_a_disk_that_is_full_is_not_begun(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(weight_cache, "SPARE_FACTOR", 1e9)
    assert Voxtral.load(folder, "balanced").nbytes > 1_000_000
    assert "GB are needed, and not free" in caplog.text


LOAD = "import sys; from voxgate.voxtral.model import Voxtral; Voxtral.load(sys.argv[1], 'fast')"


def test_processes_that_write_at_once_do_each_other_no_harm(folder: Path) -> None:
    both = [subprocess.Popen([sys.executable, "-c", LOAD, str(folder)]) for _ in range(3)]
    assert [each.wait(120) for each in both] == [0, 0, 0]
    (file,) = made(folder)
    assert torch.equal(heard(Voxtral.load(folder, "fast")), heard(Voxtral.load(folder, "fast")))
    assert file.name == "weights"


SLOW = """
import sys, time
from pathlib import Path
import torch
from voxgate.voxtral.quantization.weight_cache import WeightFileWriter

with WeightFileWriter(Path(sys.argv[1]) / "weights") as draft:
    draft.add("x", torch.zeros(9))
    time.sleep(600)
"""


async def test_what_a_killed_process_leaves_goes_and_a_living_ones_stays(tmp_path: Path) -> None:
    def drafts() -> list[Path]:
        return list(tmp_path.glob(".draft-*"))

    living = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)])
    try:
        await until(lambda: len(drafts()) == 1, "the first draft")
        killed = subprocess.Popen([sys.executable, "-c", SLOW, str(tmp_path)])
        await until(lambda: len(drafts()) == 2, "the second draft")
        killed.kill()
        killed.wait()
        with weight_cache.WeightFileWriter(tmp_path / "weights") as draft:
            assert len(drafts()) == 2  # ours, and the living one's
            draft.add("x", torch.ones(3))
            draft.commit("key")
        assert torch.equal(
            weight_cache.WeightFile(tmp_path / "weights", "key").arrays()["x"], torch.ones(3)
        )
    finally:
        living.kill()
        living.wait()


def test_what_does_not_fit_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "free_bytes", lambda _device: 1000)
    with pytest.raises(InsufficientMemoryError, match="'fast'"):
        Voxtral.load(folder, "fast")
    assert not made(folder)


def test_the_registry_takes_them_for_no_part_of_a_model(folder: Path, tmp_path: Path) -> None:
    Voxtral.load(folder, "balanced")
    registry = Registry.open(Settings(home=tmp_path / "home"))
    record = registry.add(folder, "mine")
    assert not [file.name for file in record.files if "voxgate" in file.name]
    registry.check_unchanged(registry.verify(record))
    registry.remove("mine")
    assert made(folder)  # of a folder that was added, nothing is deleted


@pytest.mark.parametrize("source", ["hf", "sharded"])
def test_layouts_and_shards_hold_the_same(
    request: pytest.FixtureRequest, tmp_path: Path, source: str, mistral: Path
) -> None:
    folders = [request.getfixturevalue(source), mistral]
    models = [
        Voxtral.load(shutil.copytree(each, tmp_path / each.name), "balanced") for each in folders
    ]
    ours, theirs = map(heard, models)
    assert torch.equal(ours, theirs)


class Products(TorchDispatchMode):  # type: ignore[no-untyped-call]  # by PyTorch
    """Notes the types in which products and attention are computed.

    PyTorch's product with 4-bit weights is not among them: it widens bfloat16 itself, by a shift.
    """

    NAMES = ("mm", "addmm", "bmm", "baddbmm", "convolution", "softmax", "scaled_dot_product")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtypes: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute as without it."""
        if func.__name__.lstrip("_").startswith(self.NAMES):
            self.dtypes.update(each.dtype for each in args if isinstance(each, torch.Tensor))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("profile", ["balanced", "fast"])
def test_without_bfloat16_and_kernels_nothing_computes_in_it(
    hf_bf16: Path, tmp_path: Path, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a prompt takes minutes on a processor whose oneDNN emulates bfloat16."""
    folder = Path(shutil.copytree(hf_bf16, tmp_path / "checkpoint"))
    monkeypatch.setattr(dispatch, "native_ops", lambda: None)
    with processor(processors.CASCADE_LAKE, tmp_path):
        onednn.many_rows_dtype.cache_clear()
        model = Voxtral.load(folder, profile)
        with Products() as products:
            model.generate(chirp(2.0), max_tokens=3)
    onednn.many_rows_dtype.cache_clear()
    assert products.dtypes == {torch.float32}
    assert model.new_cache(1, 16).keys.dtype == torch.float32


@needs_kernels
def test_with_kernels_keys_and_values_take_two_bytes_on_every_processor(
    hf_bf16: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(hf_bf16, tmp_path / "checkpoint"))
    with processor(processors.HASWELL, tmp_path):
        onednn.many_rows_dtype.cache_clear()
        model = Voxtral.load(folder, "balanced")
    onednn.many_rows_dtype.cache_clear()
    assert model.new_cache(1, 16).keys.dtype == torch.bfloat16
