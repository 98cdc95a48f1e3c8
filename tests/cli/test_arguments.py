"""A recording alone is transcribed; a mistyped command is not taken for one."""

from pathlib import Path

import pytest

from tests.cli.command import CliRunner
from voxgate.cli.arguments import name_command

COMMANDS = {"transcribe", "models"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("meeting.m4a",),
        ("MEETING.M4A", "-f", "srt"),
        ("--offline", "meeting.m4a"),
        ("./meeting",),
        ("talks/",),
        ("-", "--pcm", "s16le:16000"),
        ("note.pcm", "--pcm", "s16le:16000"),
        ("here",),
        ("-f", "srt", "meeting.m4a"),
        ("--offline", "--model", "base", "meeting.m4a"),
    ],
)
def test_a_path_without_a_command_is_transcribed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    given = [each for each in arguments if each != "--offline"]
    before = [each for each in arguments if each == "--offline"]
    assert name_command(arguments, COMMANDS) == [*before, "transcribe", *given]


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--help",),
        ("models",),
        ("--frob", "transcribe", "a.wav"),
        ("transcrib", "a.wav"),
        ("",),
        ("models.list",),
        ("--frob", "x"),
    ],
)
def test_anything_else_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    assert name_command(arguments, COMMANDS) == list(arguments)


def test_both_reach_their_command(empty_cli: CliRunner) -> None:
    gone = empty_cli.run("gone.wav", "-f", "srt,docx")
    assert gone.returncode == 2
    assert "There is no transcript format 'docx'" in gone.stderr
    mistyped = empty_cli.run("transcribr", "gone.wav")
    assert mistyped.returncode == 2
    assert "'transcribe'" in mistyped.stderr
