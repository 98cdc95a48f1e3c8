"""`voxgate transcribe` on real recordings: its outputs and messages."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.command import (
    CLIP_WORDS,
    MODEL,
    CliRunner,
    clip,
    drop_permission_override,
    isolated_cli,
    without_times,
    write_wav,
)
from tests.sounds import SAMPLE, Pcm, encode, picture_only
from voxgate.cli.source_log import SOURCE_LOG
from voxgate.printable import printable
from voxgate.transcript.formats import WRITERS


def test_only_the_words_go_to_standard_output(cli: CliRunner) -> None:
    done = cli.run("transcribe", SAMPLE)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(re.search(r"^[^.!?]+[.!?]$", line) for line in done.stdout.splitlines())  # sentences
    said = SAMPLE.with_suffix(".txt").read_text("utf-8")
    assert re.findall(r"\w+", done.stdout) == re.findall(r"\w+", said)
    assert CLIP_WORDS in done.stdout


def test_the_built_in_model_is_named_when_it_is_first_used_and_no_mistake_was_made(
    empty_cli: CliRunner, spoken: Pcm
) -> None:
    write_wav(empty_cli.folder / "note.wav", spoken)
    (missing,) = empty_cli.run("transcribe", "gone.wav").stderr.splitlines()
    assert "no file at gone.wav" in missing
    (line,) = empty_cli.run("transcribe", "note.wav").stderr.splitlines()
    assert line == "voxgate: Systran/faster-whisper-base is used; `voxgate models` lists others."
    assert len(line) <= 80
    assert empty_cli.run("transcribe", "note.wav").stderr == ""


def test_figures_follow_the_transcript_and_a_named_model_needs_no_notice(
    cli: CliRunner, spoken: Pcm
) -> None:
    data = spoken.astype("<i2").tobytes()
    done = cli.run("transcribe", "-", *MODEL, "--pcm", "s16le:16000", "--figures", stdin=data)
    assert CLIP_WORDS in done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("voxgate: 2.5 s of sound in ")
    assert "x once it recognised" in line


def test_an_ignored_option_is_a_warning(cli: CliRunner, spoken: Pcm) -> None:
    write_wav(cli.folder / "note.wav", spoken)
    done = cli.run("transcribe", "note.wav", *MODEL, "--top-p", "0.5", "--seed", "7")
    assert done.returncode == 0
    assert CLIP_WORDS in done.stdout
    assert [line.split("'")[1] for line in done.stderr.splitlines()] == ["--top-p", "--seed"]


def test_a_terminal_shows_progress(cli: CliRunner, spoken: Pcm) -> None:
    write_wav(cli.folder / "note.wav", spoken)
    code, out, shown = cli.run_on_terminal("transcribe", "note.wav", *MODEL)
    assert code == 0
    assert CLIP_WORDS in out
    assert "note.wav" in shown
    assert "starting 0:00" in shown
    assert "loading the model 0:00" in shown
    assert re.search(r"0:02 of 0:02, \d+\.\d x, finishing", shown)
    assert CLIP_WORDS not in shown


def test_a_dumb_terminal_shows_none(cli: CliRunner, spoken: Pcm) -> None:
    write_wav(cli.folder / "note.wav", spoken)
    code, out, shown = cli.run_on_terminal("transcribe", "note.wav", *MODEL, TERM="dumb")
    assert (code, shown) == (0, "")
    assert CLIP_WORDS in out


@dataclass(frozen=True)
class Folder:
    """One call over a folder and more, with every format."""

    out: Path
    code: int
    stdout: str
    errors: list[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folder]:
    root = tmp_path_factory.mktemp("folder")
    given = root / "given"
    write_wav(given / "talk.wav", clip())
    (given / "monday").mkdir()
    (given / "monday" / "untitled").write_bytes(encode(clip(), "a.ogg"))
    (given / "readme.md").write_text("no recording\n")
    (given / "tape.pcm").write_bytes(bytes(100))
    (given / "film.mp4").write_bytes(picture_only())
    (given / "broken.wav").write_bytes(b"RIFF\0\0\0\0WAVEnothing that makes sense")
    (given / "locked.wav").write_bytes((given / "talk.wav").read_bytes())
    (given / "locked.wav").chmod(0)
    (root / "empty").mkdir()
    formats = [part for name in WRITERS for part in ("-f", name)]
    with isolated_cli(root) as cli:
        done = cli.run(
            *("transcribe", "given", "empty", "no-such.wav", *MODEL, "-o", "out/deep", *formats),
            preexec=drop_permission_override,
        )
        yield Folder(root / "out/deep", done.returncode, done.stdout, done.stderr.splitlines())


def test_every_recording_gets_every_format(folder: Folder) -> None:
    files = {str(path.relative_to(folder.out)) for path in folder.out.rglob("*") if path.is_file()}
    stems = ("talk", "monday/untitled")
    assert files - {SOURCE_LOG} == {
        stem + writer.extension for stem in stems for writer in WRITERS.values()
    }
    assert CLIP_WORDS in (folder.out / "talk.txt").read_text()
    assert CLIP_WORDS in (folder.out / "monday/untitled.txt").read_text()
    assert json.loads((folder.out / "talk.json").read_text())
    assert (folder.out / "talk.vtt").read_text().startswith("WEBVTT")


def test_a_written_file_has_the_permissions_of_any_new_file(folder: Folder) -> None:
    assert (folder.out / "talk.txt").stat().st_mode & 0o777 == 0o666 & ~_umask()


def test_each_failure_is_one_line(folder: Folder) -> None:
    assert (folder.code, folder.stdout) == (1, "")
    *errors, unread, summary = folder.errors
    assert len(errors) == 5, errors
    assert "tape.pcm was not read" in unread
    assert without_times(summary) == "voxgate: 6 recordings: 2 transcribed, 4 failed."
    for name in ("empty", "no-such.wav", "film.mp4", "broken.wav", "locked.wav"):
        (line,) = (line for line in errors if name in line)
        assert line.startswith("voxgate: ")
        assert line.count(name) == 1
    assert not any("Traceback" in line for line in errors)


def test_several_recordings_are_printed_under_their_names(cli: CliRunner, spoken: Pcm) -> None:
    write_wav(cli.folder / "a.wav", spoken)
    write_wav(cli.folder / "silence.wav", 0 * spoken)
    done = cli.run("transcribe", *MODEL, "a.wav", "gone.wav", "silence.wav")
    assert done.returncode == 1
    head, words, gap, *rest = done.stdout.split("\n")
    assert head == "==> a.wav <=="
    assert CLIP_WORDS in words
    assert [gap, *rest] == ["", "==> silence.wav <==", ""]
    gone, silent, summary = done.stderr.splitlines()
    assert "gone.wav" in gone
    assert "no words" in silent
    assert without_times(summary) == "voxgate: 3 recordings: 2 transcribed, 1 failed."


def test_a_name_cannot_send_control_characters_to_the_terminal(cli: CliRunner, spoken: Pcm) -> None:
    evil = "a\x1b[2J\nvoxgate: all is well\u202e\u2028.wav"
    write_wav(cli.folder / evil, spoken)
    (cli.folder / f"no{evil}").write_text("no sound")
    undecodable = os.fsdecode(b"\x9b2J.wav")
    (cli.folder / undecodable).symlink_to(evil)
    escaped = r"a\x1b[2J\nvoxgate: all is well\u202e\u2028.wav"
    done = cli.run("transcribe", *MODEL, evil, f"no{evil}", undecodable)
    assert [line for line in done.stdout.splitlines() if "==>" in line] == [
        f"==> {escaped} <==",
        r"==> \udc9b2J.wav <==",
    ]
    line, summary = done.stderr.splitlines()
    assert line.startswith("voxgate: ")
    assert f"no{escaped}" in line
    assert without_times(summary) == "voxgate: 3 recordings: 2 transcribed, 1 failed."
    _, _, screen = cli.run_on_terminal("transcribe", *MODEL, evil, "-o", "out")
    assert f"{escaped[:23]}… " in screen  # the progress cuts it
    assert f"wrote out/{escaped.removesuffix('.wav')}" in screen
    assert "all is well\u202e" not in screen
    assert "\x1b[2J" not in screen


def test_a_name_in_any_language_is_shown_as_it_is() -> None:
    name = "Aufnahme um 3\u202fUhr, \u0646\u0645\u06cc\u200c\u062e \U0001f468\u200d\U0001f469.wav"
    assert printable(name) == name


def test_standard_input_goes_to_a_file_of_that_name(cli: CliRunner, spoken: Pcm) -> None:
    write_wav(cli.folder / "a.wav", spoken)
    with (cli.folder / "a.wav").open("rb") as file:
        done = cli.run("transcribe", *MODEL, "-", "-o", "out", stdin=file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert CLIP_WORDS in (cli.folder / "out" / "stdin.txt").read_text()


def test_a_terminal_shows_the_place_in_the_call_and_repeats_the_failures_at_the_end(
    cli: CliRunner, spoken: Pcm
) -> None:
    write_wav(cli.folder / "a.wav", spoken)
    write_wav(cli.folder / "c.wav", spoken)
    call = ("transcribe", *MODEL, "a.wav", "gone.wav", "c.wav", "-o", "out")
    code, _, screen = cli.run_on_terminal(*call)
    assert code == 1
    assert "1 of 3 a.wav" in screen
    assert "3 of 3 c.wav" in screen
    *_, summary, failure = screen.splitlines()
    assert re.fullmatch(
        r"voxgate: 3 recordings: 2 transcribed, 1 failed; 0:05 of sound in \d+:\d\d\.", summary
    )
    assert failure.startswith("voxgate: failed: There is no file at gone.wav.")
    long = cli.run("transcribe", "n" * 300)
    assert (long.returncode, "cannot be opened: [Errno 36]" in long.stderr) == (1, True), (
        long.stderr
    )


def test_a_second_run_skips_what_is_there(cli: CliRunner, spoken: Pcm) -> None:
    write_wav(cli.folder / "given" / "a.wav", spoken)
    first = cli.run("transcribe", *MODEL, "given", "-o", "out", "--name-language")
    assert (first.returncode, first.stderr) == (0, "")
    written = cli.folder / "out" / "a.en.txt"
    before = written.stat()
    write_wav(cli.folder / "given" / "below" / "b.wav", spoken)
    options = ("-o", "out", "--name-language", "--skip-existing", "--no-recursive")
    second = cli.run("transcribe", *MODEL, "given", "given/below/b.wav", *options)
    assert (second.returncode, second.stdout) == (0, "")
    assert without_times(second.stderr) == "voxgate: 2 recordings: 1 transcribed, 1 skipped.\n"
    assert written.stat() == before
    assert (cli.folder / "out" / "b.en.txt").exists()
    third = cli.run("transcribe", *MODEL, "given/a.wav", *options)
    assert (third.returncode, third.stderr) == (0, "voxgate: 1 recording: 1 skipped.\n")


def test_a_call_of_openai_whisper_is_a_call_of_voxgate(cli: CliRunner, spoken: Pcm) -> None:
    write_wav(cli.folder / "talk.wav", spoken)
    done = cli.run(
        *("talk.wav", "--model", "base", "--language", "English", "--task", "transcribe"),
        *("--output_dir", "out", "--output_format", "all", "--word_timestamps", "True"),
        *("--condition_on_previous_text", "False", "--beam_size", "2", "--vad_filter=True"),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    extensions = {writer.extension for writer in WRITERS.values()}
    assert {path.name for path in (cli.folder / "out").glob("talk*")} == {
        f"talk{extension}" for extension in extensions
    }
    written = json.loads((cli.folder / "out" / "talk.verbose.json").read_text())
    assert written["language"] == "en"
    assert "language_probability" not in written  # it was not detected, but named
    assert len(written["words"]) > 3


def test_a_terminal_is_asked_before_transcripts_are_replaced(cli: CliRunner) -> None:
    """The recording is not there: whoever is allowed to replace its transcript finds that out."""
    (cli.folder / "out").mkdir()
    (cli.folder / "out" / "gone.txt").write_text("mine")
    call = ("transcribe", *MODEL, "gone.wav", "-o", "out")
    question = "out has 1 of these transcripts already. Replace them?"
    for answer, tried in ((b"n\n", False), (b"y\n", True)):
        code, _, screen = cli.run_on_terminal(*call, typed=answer)
        assert question in screen
        assert (code, "no file at gone.wav" in screen) == (1, tried)
    _, _, screen = cli.run_on_terminal(*call, "--overwrite", typed=b"")
    assert ("no file at gone.wav" in screen, question in screen) == (True, False)
    piped = cli.run(*call)
    assert "no file at gone.wav" in piped.stderr
    assert question not in piped.stderr


def test_a_folder_without_recordings_is_named(cli: CliRunner) -> None:
    done = cli.run("transcribe", ".")
    assert (done.returncode, done.stdout) == (1, "")
    assert "The folder . holds no recordings" in done.stderr


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
