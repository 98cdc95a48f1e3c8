"""Streams and disks that take nothing more: a sentence, an exit code, and no half transcript."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.cli.command import MODEL, CliRunner, drop_permission_override, without_times, write_wav
from tests.sounds import RATE, Pcm

FULL = "No space left on device"


@pytest.fixture
def note(cli: CliRunner, spoken: Pcm) -> Path:
    return write_wav(cli.folder / "note.wav", spoken)


@cache
def mounter() -> tuple[str, ...]:
    """What gives a command a mount namespace of its own, as root or as anybody."""
    unshare = shutil.which("unshare")
    for options in ("-m", "-rm"):
        command = (str(unshare), options, "sh", "-c")
        if (
            unshare
            and not subprocess.run(
                [*command, "mount -t tmpfs none /mnt"], check=False, capture_output=True
            ).returncode
        ):
            return command
    pytest.skip("this machine lets nobody mount a small disk")


def on_small_disk(folder: Path, kib: int, fill: int) -> tuple[str, ...]:
    """Before a command: a disk of `kib` KiB at `folder`, `fill` KiB of it full. After: its list."""
    folder.mkdir()
    script = (
        f"mount -t tmpfs -o size={kib}k none {folder} && "
        f"head -c {fill}k /dev/zero > {folder}/taken && "
        f'"$@"; code=$?; ls -A {folder} > {folder}.list; exit $code'
    )
    return (*mounter(), script, "sh")


def test_a_full_standard_output(cli: CliRunner, note: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = cli.run("transcribe", *MODEL, note, note.name, stdout=full)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"voxgate: Standard output cannot be written: {FULL}.")


@pytest.mark.parametrize("command", [("--version",), ("models",), ("models", "--json")])
def test_short_answers_meet_the_same_disk(cli: CliRunner, command: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = cli.run(*command, stdout=full)
    assert done.returncode == 1
    assert done.stderr.startswith(f"voxgate: Standard output cannot be written: {FULL}.")


def test_a_reader_who_has_gone(cli: CliRunner, note: Path) -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    with os.fdopen(ours, "wb") as pipe:
        done = cli.run("transcribe", *MODEL, note, stdout=pipe)
    assert (done.returncode, done.stderr) == (141, "")


def test_closed_streams_are_told_apart_from_files(cli: CliRunner, note: Path) -> None:
    def close_both() -> None:
        os.close(0)
        os.close(1)

    done = cli.run("transcribe", *MODEL, note, preexec=close_both)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("voxgate: Standard output is closed")
    done = cli.run("transcribe", *MODEL, "-", note, "-o", "out", preexec=close_both)
    assert done.returncode == 1
    assert done.stderr == "voxgate: standard input is closed. Pipe a recording into it.\n"
    assert "train" in (cli.folder / "out" / "note.txt").read_text()


def test_a_full_disk_under_the_output(cli: CliRunner, note: Path) -> None:
    disk = cli.folder / "disk"
    (cli.folder / "later.wav").write_bytes(note.read_bytes())
    done = cli.run(
        *("transcribe", *MODEL, "-o", disk, "note.wav", "later.wav"),
        before=on_small_disk(disk, kib=4, fill=4),
    )
    assert done.returncode == 1
    failure, rest = done.stderr.splitlines()
    assert failure.startswith(f"voxgate: {disk}/note.txt cannot be written: {FULL}.")
    assert rest == "voxgate: 2 recordings: 1 failed, 1 not begun."
    assert Path(f"{disk}.list").read_text() == "taken\n"


def test_one_transcript_that_cannot_be_written_stops_no_other(cli: CliRunner, note: Path) -> None:
    long = f"{'n' * 248}.wav"  # as a transcript it has four more
    for name in ("blocked.wav", long, "zuletzt.wav"):
        (cli.folder / name).write_bytes(note.read_bytes())
    (cli.folder / "out" / "blocked.txt").mkdir(parents=True)
    done = cli.run(
        *("transcribe", *MODEL, "-o", "out", "-f", "txt", "-f", "verbose_json"),
        *("blocked.wav", long, "zuletzt.wav"),
    )
    assert (done.returncode, done.stdout) == (1, "")
    blocked, too_long, summary = done.stderr.splitlines()
    assert "out/blocked.txt cannot be written: Is a directory. Move" in blocked
    assert "File name too long. Choose a shorter name" in too_long
    assert without_times(summary) == "voxgate: 3 recordings: 1 transcribed, 2 failed."
    assert "train" in (cli.folder / "out" / "zuletzt.txt").read_text()


@pytest.mark.parametrize("kib", [64, 300])
def test_a_full_disk_under_the_spool(cli: CliRunner, spoken: Pcm, kib: int) -> None:
    """It is full when the sound leaves memory, and when the sound goes on."""
    long = write_wav(cli.folder / "long.wav", np.tile(spoken, 1 + RATE * 12 // len(spoken)))
    disk = cli.folder / "disk"
    done = cli.run(
        *("transcribe", *MODEL, long),
        before=on_small_disk(disk, kib=kib, fill=4),
        VOXGATE_SPOOL_DIR=str(disk),
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert FULL in line
    assert "VOXGATE_SPOOL_DIR" in line
    assert Path(f"{disk}.list").read_text() == "taken\n"


def test_a_voice_note_needs_no_disk_under_the_spool(cli: CliRunner, note: Path) -> None:
    disk = cli.folder / "disk"
    done = cli.run(
        *("transcribe", *MODEL, note),
        before=on_small_disk(disk, kib=64, fill=64),
        VOXGATE_SPOOL_DIR=str(disk),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "train" in done.stdout


def test_a_folder_that_may_not_be_written(cli: CliRunner, note: Path) -> None:
    (cli.folder / "locked").mkdir(mode=0o500)
    done = cli.run("transcribe", *MODEL, note, "-o", "locked/out", preexec=drop_permission_override)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        "voxgate: The folder locked/out cannot be made: Permission denied"
    )
