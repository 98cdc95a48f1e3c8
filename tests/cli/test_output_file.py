"""`-o film.srt`: one file for one recording."""

import json
from pathlib import Path

import pytest

from tests.cli.command import CLIP_WORDS, MODEL, CliRunner, clip, write_wav
from tests.failures import raises
from voxgate.cli.output_file import file_writers, names_file
from voxgate.transcript.formats import WRITERS, Writer


@pytest.mark.parametrize("writer", WRITERS.values())
def test_every_ending_of_a_format_names_a_file_of_it(tmp_path: Path, writer: Writer) -> None:
    path = str(tmp_path / f"film.de{writer.extension}")
    assert names_file(path)
    assert names_file(path.upper())
    assert file_writers(path, []) == [writer]
    assert not names_file(f"{path}/")
    Path(path).mkdir()
    assert not names_file(path)


@pytest.mark.parametrize("output", ["out", "v1.2", "notes.md", ".srt", "srt", "film.srt/"])
def test_anything_else_names_a_folder(output: str) -> None:
    assert not names_file(output)


def test_a_json_file_may_be_verbose_and_other_contradictions_say_what_to_type() -> None:
    assert file_writers("film.json", ["verbose_json"]) == [WRITERS["verbose_json"]]
    for formats, named in ((["vtt"], "vtt"), (["srt", "vtt"], "srt,vtt"), (["all"], "txt,")):
        with raises("invalid_request", match=f"name a folder: -f {named}"):
            file_writers("film.srt", formats)


def test_one_recording_is_written_to_the_file(cli: CliRunner) -> None:
    write_wav(cli.folder / "film.wav", clip())
    done = cli.run("transcribe", *MODEL, "film.wav", "-o", "new/film.srt")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in (cli.folder / "new").iterdir()] == ["film.srt"]
    assert "-->" in (cli.folder / "new/film.srt").read_text()
    again = cli.run("transcribe", *MODEL, "film.wav", "-o", "new/film.srt")
    assert again.stderr == "voxgate: replaced new/film.srt, which was there already.\n"
    done = cli.run("transcribe", *MODEL, "film.wav", "-f", "verbose_json", "-o", "film.json")
    assert done.returncode == 0
    assert CLIP_WORDS in json.loads((cli.folder / "film.json").read_text())["text"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("a.wav", "b.wav", "-o", "film.srt"), "2 recordings. Name a folder"),
        (("a.wav", "b.wav", "-o", "film.srt"), "-f srt -o DIR"),
        (("a.wav", "-o", "film.srt", "--skip-existing"), "name a folder with -o"),
        (("a.wav", "-o", "film.srt", "--name-language"), "name a folder with -o"),
        (("talk.txt", "-o", "talk.txt"), "is the recording"),
    ],
)
def test_what_one_file_cannot_hold_is_refused_before_any_work(
    empty_cli: CliRunner, arguments: tuple[str, ...], says: str
) -> None:
    done = empty_cli.run("transcribe", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert not list(empty_cli.folder.iterdir())


def test_a_terminal_is_asked_before_the_file_is_replaced(cli: CliRunner) -> None:
    (cli.folder / "mine.txt").write_text("mine")
    call = ("transcribe", *MODEL, "gone.wav", "-o", "mine.txt")
    code, _, screen = cli.run_on_terminal(*call, typed=b"n\n")
    assert "mine.txt is there already. Replace it?" in screen
    assert code == 1
    assert "no file at" not in screen
    assert (cli.folder / "mine.txt").read_text() == "mine"


def test_a_dash_is_standard_output(cli: CliRunner) -> None:
    write_wav(cli.folder / "film.wav", clip())
    done = cli.run("transcribe", *MODEL, "film.wav", "-f", "srt", "-o", "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert "-->" in done.stdout
    assert not (cli.folder / "-").exists()
