"""Options of other programs: taken, or refused with what to type."""

import pytest

from tests.cli.command import CliRunner
from tests.failures import raises
from voxgate.cli.peer_options import PEER_OPTIONS, Always, Refused, Renamed, translate_options
from voxgate.models.store.names import family_by_alias


def translated(*arguments: str) -> list[str]:
    return translate_options(["transcribe", "a.wav", *arguments])[2:]


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
        (("--task", "translate", "--language", "English"), None),
        (("--", "--fp16"), None),
    ],
)
def test_an_option_that_voxgate_has_is_taken(
    typed: tuple[str, ...], means: list[str] | None
) -> None:
    assert translated(*typed) == (list(typed) if means is None else means)


@pytest.mark.parametrize("option", PEER_OPTIONS)
def test_every_option_of_the_table_is_taken_or_answered_in_one_line(option: str) -> None:
    match PEER_OPTIONS[option]:
        case Renamed(name):
            assert translated(option, "x") == [name, "x"]
        case Always(value, otherwise):
            assert translated(option, value) == []
            other = {"true": "False", "false": "True"}[value]
            with raises("invalid_request", match=f"^Voxgate has no {option} {other}. "):
                translated(option, other)
            assert "\n" not in otherwise
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
