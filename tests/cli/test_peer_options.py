"""Options of other programs: taken, or refused with what to type."""

import pytest

from tests.cli.command import CLIP_WORDS, MODEL, CliRunner, write_wav
from tests.failures import raises
from tests.sounds import Pcm
from voxgate.cli.peer_options import (
    PEER_OPTIONS,
    Always,
    Refused,
    Renamed,
    Unneeded,
    translate_options,
)
from voxgate.models.store.names import family_by_alias

warned: list[str] = []


@pytest.fixture(autouse=True)
def _forget() -> None:
    warned.clear()


def translated(*arguments: str) -> list[str]:
    return translate_options(["transcribe", "a.wav", *arguments], warned.append)[2:]


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        (("--output_dir", "out"), ["--output", "out"]),
        (("--output-dir=out",), ["--output=out"]),
        (("--output_format", "all"), ["--format", "all"]),
        (("--initial_prompt", "A talk."), ["--prompt", "A talk."]),
        (("--beam_size", "3"), ["--beam-size", "3"]),
        (("--beam-size", "3"), ["--beam-size", "3"]),
        (("--hotwords", "Voxgate"), ["--keyterm", "Voxgate"]),
        (("--word_timestamps", "True", "-f", "srt"), ["-f", "srt"]),
        (("--vad_filter=True",), []),
        (("--vad_filter", "b.wav"), ["b.wav"]),
        (("--condition_on_previous_text", "False"), []),
        (("--best_of", "5", "--patience", "1.0", "--suppress_tokens", "-1"), []),
        (("--clip_timestamps=0", "--compression_ratio_threshold", "2.4"), []),
        (("--task", "translate", "--language", "English"), None),
        (("--", "--fp16"), None),
    ],
)
def test_an_option_that_voxgate_has_is_taken(
    typed: tuple[str, ...], means: list[str] | None
) -> None:
    assert translated(*typed) == (list(typed) if means is None else means)
    assert warned == []


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        (("--fp16", "False", "b.wav"), ["b.wav"]),
        (("--fp16", "b.wav"), ["b.wav"]),
        (("--verbose=True", "-f", "srt"), ["-f", "srt"]),
        (("--batch-size", "16", "b.wav"), ["b.wav"]),
        (("--batch_size",), []),
    ],
)
def test_an_option_that_changes_no_text_is_taken_with_a_warning(
    typed: tuple[str, ...], means: list[str]
) -> None:
    assert translated(*typed) == means
    (sentence,) = warned
    name = typed[0].partition("=")[0]
    assert sentence.startswith(f"warning: {name} has no effect: ")


@pytest.mark.parametrize(
    "typed",
    [
        ("--best_of", "1"),
        ("--patience", "nan"),
        ("--no_speech_threshold", "0.5"),
        ("--suppress_tokens", "-1,2"),
        ("--clip_timestamps", "0,10"),
        ("--condition_on_previous_text", "True"),
        ("--length_penalty",),
        ("--threads", "2"),
        ("--device", "cpu"),
    ],
)
def test_an_option_that_changes_something_is_never_left_out(typed: tuple[str, ...]) -> None:
    with raises("invalid_request", match=f"^Voxgate has no {typed[0]}"):
        translated(*typed)


@pytest.mark.parametrize("option", PEER_OPTIONS)
def test_every_option_of_the_table_is_taken_or_answered_in_one_line(option: str) -> None:
    match PEER_OPTIONS[option]:
        case Renamed(name):
            assert translated(option, "x") == [name, "x"]
        case Always(value, otherwise):
            assert translated(option, value) == []
            other = {"true": "False", "false": "True"}.get(value, "7.5")
            with raises("invalid_request", match=f"^Voxgate has no {option} {other}. "):
                translated(option, other)
            assert "\n" not in otherwise
        case Unneeded(reason):
            assert translated(option, "1") == []
            assert "\n" not in reason
        case Refused(instead):
            with raises("invalid_request", match=f"^Voxgate has no {option}. "):
                translated(f"{option}=1")
            assert "\n" not in instead


def test_our_own_names_of_renamed_options_exist(empty_cli: CliRunner) -> None:
    page = empty_cli.run("transcribe", "--help").stdout
    for peer in PEER_OPTIONS.values():
        if isinstance(peer, Renamed):
            assert f"{peer.option} " in page
    assert not any(f"{option} " in page for option in PEER_OPTIONS)


def test_a_refusal_is_wrong_usage_in_one_line(empty_cli: CliRunner) -> None:
    done = empty_cli.run("transcribe", "a.wav", "--device", "cuda")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("voxgate: Voxgate has no --device. Set the device of Voxtral: VOXGATE_")


def test_a_warning_is_one_line(cli: CliRunner, spoken: Pcm) -> None:
    write_wav(cli.folder / "note.wav", spoken)
    done = cli.run("transcribe", "note.wav", *MODEL, "--fp16", "False")
    assert done.returncode == 0
    assert CLIP_WORDS in done.stdout
    sentence = "--fp16 has no effect: the numbers are chosen for the device."
    assert done.stderr == f"voxgate: warning: {sentence}\n"


def test_other_commands_keep_their_options() -> None:
    assert translate_options(["models", "--device"]) == ["models", "--device"]


@pytest.mark.parametrize(
    ("size", "family"),
    [
        ("base", "whisper-base"),
        ("Tiny.en", "whisper-tiny.en"),
        ("large", "whisper-large-v3"),
        ("turbo", "whisper-large-v3-turbo"),
    ],
)
def test_a_size_stands_for_its_whisper(size: str, family: str) -> None:
    found = family_by_alias(size)
    assert found is not None
    assert found.name == family


def test_a_size_that_is_not_installed_says_how_to_get_it(empty_cli: CliRunner) -> None:
    done = empty_cli.run("transcribe", "a.wav", "--model", "small")
    assert "`voxgate models pull Systran/faster-whisper-small`" in done.stderr
    base = empty_cli.run("transcribe", "gone.wav", "--model", "base")
    assert "gone.wav" in base.stderr
