"""The names of output files, and the files that they replace."""

import errno
import os
from pathlib import Path

import pytest

from voxgate.cli.inputs import InputRecording
from voxgate.cli.outputs import OutputFolder, UnwritableError
from voxgate.errors import OutputError, UsageError
from voxgate.transcript.formats import find_writer
from voxgate.transcript.values import Segment, Transcript

SAID = Transcript((Segment("hello", 0.0, 1.0),), duration=1.0, model="test/none")


async def written(into: Path, *names: str, formats: tuple[str, ...] = ("txt",)) -> set[str]:
    recordings = [InputRecording(into / "given" / name, name, Path(name)) for name in names]
    output = OutputFolder(into / "out", [find_writer(name) for name in formats], recordings)
    for recording in recordings:
        await output.write(recording, SAID)
    files = (path for path in (into / "out").rglob("*") if path.is_file())
    return {str(path.relative_to(into / "out")) for path in files}


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (("a.wav", "x/a.wav"), {"a.txt", "x/a.txt"}),
        (("a.wav", "a.mp3", "b.mp3"), {"a.wav.txt", "a.mp3.txt", "b.txt"}),
        (("a", "a.wav", "a.wav.ogg"), {"a.txt", "a.wav.txt", "a.wav.ogg.txt"}),
        (("talk.2026.wav",), {"talk.2026.txt"}),
    ],
)
async def test_an_output_is_the_stem_unless_two_collide(
    tmp_path: Path, names: tuple[str, ...], files: set[str]
) -> None:
    assert await written(tmp_path, *names) == files


async def test_formats_with_overlapping_extensions_do_not_collide(tmp_path: Path) -> None:
    files = await written(tmp_path, "a.wav", "a.verbose.wav", formats=("json", "verbose_json"))
    assert len(files) == 4


async def test_a_transcript_never_replaces_its_recording(tmp_path: Path) -> None:
    recording = InputRecording(tmp_path / "note.txt", "note.txt", Path("note.txt"))
    await OutputFolder(tmp_path, [find_writer("txt")], [recording]).write(recording, SAID)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt.txt"]


async def test_an_earlier_transcript_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("a longer text from an earlier run\n")
    assert await written(tmp_path, "a.wav") == {"a.txt"}
    assert (tmp_path / "out" / "a.txt").read_text() == "hello\n"


async def test_a_path_that_is_taken_is_named(tmp_path: Path) -> None:
    (tmp_path / "out" / "a.txt").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"out/a\.txt cannot be written: Is a directory"):
        await written(tmp_path, "a.wav")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.txt"]


async def test_a_folder_that_takes_no_file_is_refused_at_once() -> None:
    with pytest.raises(OutputError, match="Nothing can be written to /proc/self"):
        OutputFolder(Path("/proc/self"), [find_writer("txt")], [])


@pytest.mark.parametrize(
    ("number", "alone", "advice"),
    [
        (errno.ENOSPC, False, "Free some space there, or name another folder"),
        (errno.EDQUOT, False, "Free some space there"),
        (errno.EROFS, False, "Name another folder"),
        (errno.ENAMETOOLONG, True, "a shorter name"),
        (errno.EACCES, True, "write permission"),
        (errno.EIO, True, "Name another folder"),
    ],
)
async def test_an_error_that_every_file_would_meet_is_distinguished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, alone: bool, advice: str
) -> None:
    def fails(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OutputError, match=advice) as caught:
        await written(tmp_path, "a.wav")
    assert isinstance(caught.value, UnwritableError) is alone
    assert not list((tmp_path / "out").iterdir())


async def test_a_deleted_folder_stops_all_recordings(tmp_path: Path) -> None:
    recording = InputRecording(tmp_path / "a.wav", "a.wav", Path("a.wav"))
    output = OutputFolder(tmp_path / "out", [find_writer("txt")], [recording])
    (tmp_path / "out").rmdir()
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError) as caught:
        await output.write(recording, SAID)
    assert not isinstance(caught.value, UnwritableError)


async def test_two_recordings_of_one_name_are_refused(tmp_path: Path) -> None:
    recordings = [InputRecording(tmp_path / at / "a.wav", at, Path("a.wav")) for at in ("x", "y")]
    with pytest.raises(UsageError, match="same name"):
        OutputFolder(tmp_path / "out", [find_writer("txt")], recordings)
    assert not list(tmp_path.iterdir())
