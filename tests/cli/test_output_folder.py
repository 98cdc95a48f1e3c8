"""The names of output files, and the files that they replace or leave."""

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.failures import raises
from voxgate.cli.inputs import InputRecording
from voxgate.cli.output_folder import FolderOptions, OutputFolder
from voxgate.cli.outputs import UnwritableError
from voxgate.cli.source_log import SOURCE_LOG
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
    return {str(path.relative_to(into / "out")) for path in files} - {SOURCE_LOG}


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


async def test_away_from_a_terminal_what_is_replaced_is_named_unless_that_was_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await transcribed(tmp_path, "a.wav", options=FolderOptions())
    assert capsys.readouterr().err == ""
    await transcribed(tmp_path, "a.wav", "b.wav", options=FolderOptions())
    replaced = f"voxgate: replaced {tmp_path / 'out/a.txt'}, which was there already.\n"
    assert capsys.readouterr().err == replaced
    await transcribed(tmp_path, "a.wav", options=FolderOptions(overwrite=True))
    assert capsys.readouterr().err == ""


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


SKIP = FolderOptions(skip_existing=True)


def folder_of(
    root: Path, *names: str, options: FolderOptions = SKIP, formats: tuple[str, ...] = ("txt",)
) -> tuple[OutputFolder, list[InputRecording]]:
    """Return the output folder for recordings of these names, which contain their names."""
    recordings = []
    for name in names:
        path = root / "given" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(name)
        recordings.append(InputRecording(path, name, Path(name)))
    return OutputFolder(
        root / "out", list(map(find_writer, formats)), recordings, options
    ), recordings


async def wanted(root: Path, *names: str, **call: Any) -> list[str]:
    """Return the names of the recordings that would be transcribed."""
    output, recordings = folder_of(root, *names, **call)
    return [recording.name for recording in recordings if await output.wants(recording)]


async def transcribed(root: Path, *names: str, **call: Any) -> None:
    output, recordings = folder_of(root, *names, **call)
    for recording in recordings:
        if await output.wants(recording):
            await output.write(recording, SAID)


async def test_recordings_with_transcripts_are_skipped_when_that_is_asked(tmp_path: Path) -> None:
    await transcribed(tmp_path, "a.wav", "x/b.wav", options=FolderOptions())
    assert await wanted(tmp_path, "a.wav", "x/b.wav", "c.wav") == ["c.wav"]
    assert await wanted(tmp_path, "a.wav", options=FolderOptions()) == ["a.wav"]


async def test_a_recording_that_changed_is_transcribed_again(tmp_path: Path) -> None:
    await transcribed(tmp_path, "a.wav", "b.wav")
    (tmp_path / "given" / "a.wav").write_text("other sound")
    assert await wanted(tmp_path, "a.wav", "b.wav") == ["a.wav"]
    await transcribed(tmp_path, "a.wav")
    assert await wanted(tmp_path, "a.wav", "b.wav") == []


async def test_a_format_that_is_not_there_is_written(tmp_path: Path) -> None:
    await transcribed(tmp_path, "a.wav")
    assert await wanted(tmp_path, "a.wav", formats=("txt", "srt")) == ["a.wav"]
    await transcribed(tmp_path, "a.wav", formats=("txt", "srt"))
    assert await wanted(tmp_path, "a.wav", formats=("txt", "srt")) == []


async def test_a_copy_of_the_folder_knows_its_sources(tmp_path: Path) -> None:
    await transcribed(tmp_path, "a.wav", "b.wav")
    shutil.copytree(tmp_path, tmp_path / "copy", copy_function=shutil.copyfile)
    (tmp_path / "copy" / "given" / "a.wav").write_text("other sound")
    assert await wanted(tmp_path / "copy", "a.wav", "b.wav") == ["a.wav"]


@pytest.mark.parametrize("log", [None, "", '{"transcript": "a.t', "[]\n", "\n"])
async def test_without_a_record_the_transcript_itself_counts(
    tmp_path: Path, log: str | None
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("by another program")
    if log is not None:
        (tmp_path / "out" / SOURCE_LOG).write_text(log)
    assert await wanted(tmp_path, "a.wav", "b.wav") == ["b.wav"]


async def test_a_pipe_is_not_read_to_be_hashed(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    os.mkfifo(tmp_path / "given" / "a.wav")  # reading it would wait for ever
    assert await wanted(tmp_path, "a.wav") == ["a.wav"]


async def test_the_language_is_a_part_of_the_name(tmp_path: Path) -> None:
    options = FolderOptions(skip_existing=True, name_language=True)
    output, (film,) = folder_of(tmp_path, "film.mkv", options=options, formats=("srt", "json"))
    assert await output.wants(film)
    await output.write(film, replace(SAID, language="de"))
    assert sorted(path.name for path in (tmp_path / "out").glob("film*")) == [
        "film.de.json",
        "film.de.srt",
    ]
    assert await wanted(tmp_path, "film.mkv", options=options, formats=("srt",)) == []
    assert await wanted(tmp_path, "film.mkv", options=SKIP, formats=("srt",)) == ["film.mkv"]
    await output.write(film, replace(SAID, language="de", task="translate"))
    await output.write(film, SAID)
    assert {path.name for path in (tmp_path / "out").glob("*.srt")} == {
        *("film.de.srt", "film.en.srt", "film.und.srt")
    }


@pytest.mark.parametrize(
    ("there", "wants"),
    [
        ("film.srt", False),
        ("film.de.srt", False),
        ("film.pt-BR.srt", False),
        ("film.en.sdh.srt", False),
        ("film.vtt", True),
        ("film2.srt", True),
        ("film.part2.srt", True),
    ],
)
async def test_subtitles_by_others_are_there(tmp_path: Path, there: str, wants: bool) -> None:
    options = FolderOptions(skip_existing=True, name_language=True)
    output, (film,) = folder_of(tmp_path, "film.mkv", options=options, formats=("srt",))
    (tmp_path / "out" / there).write_text("1\n")
    assert await output.wants(film) == wants


@pytest.mark.parametrize(
    ("options", "there"),
    [
        (SKIP, "film.srt"),
        (FolderOptions(skip_existing=True, name_language=True), "film.srt"),
        (FolderOptions(skip_existing=True, name_language=True), "film.en.srt"),
    ],
)
async def test_only_the_formats_that_are_missing_are_written(
    tmp_path: Path, options: FolderOptions, there: str
) -> None:
    own = tmp_path / "out" / there
    own.parent.mkdir()
    own.write_text("by hand")
    await transcribed(tmp_path, "film.mkv", options=options, formats=("srt", "vtt"))
    made = [path for path in own.parent.glob("film*") if path != own]
    assert [path.suffix for path in made] == [".vtt"]
    assert own.read_text() == "by hand"


async def test_a_named_language_never_replaces_a_recording(tmp_path: Path) -> None:
    recordings = [
        InputRecording(tmp_path / name, name, Path(name)) for name in ("a.wav", "a.en.txt")
    ]
    options = FolderOptions(name_language=True)
    output = OutputFolder(tmp_path, [find_writer("txt")], recordings, options)
    with pytest.raises(UnwritableError, match="is a recording of this call"):
        await output.write(recordings[0], replace(SAID, language="en"))


def test_contradictions_are_refused() -> None:
    with raises("invalid_request", match="leave out one"):
        FolderOptions(skip_existing=True, overwrite=True)
    with raises("invalid_request", match="--name-language is for a folder"):
        FolderOptions(name_language=True).check_output(None)
