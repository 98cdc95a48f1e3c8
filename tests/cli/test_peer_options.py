"""Options of other programs: taken, or refused with what to type."""

import re
from pathlib import Path

import pytest

from tests.cli.command import CLIP_WORDS, MODEL, CliRunner, write_wav
from tests.failures import raises
from tests.sounds import Pcm
from voxgate.cli.peer_arguments import translate_options
from voxgate.cli.peer_options import (
    PEER_OPTIONS,
    WHISPER_CPP_OPTIONS,
    Always,
    Refused,
    Renamed,
    Setting,
    Unneeded,
)
from voxgate.models.store.names import family_by_alias
from voxgate.settings import Settings
from voxgate.transcript.formats import WRITERS
from voxgate.transcript.values import Segment, Transcript, Word

warned: list[str] = []
environ: dict[str, str] = {}


@pytest.fixture(autouse=True)
def _forget() -> None:
    warned.clear()
    environ.clear()


def translated(*arguments: str) -> list[str]:
    return translate_options(["transcribe", "a.wav", *arguments], warned.append, environ)[2:]


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
        (("--compute_type", "int8"), []),
        (("-tr", "-l", "de", "-bs", "3"), ["--task=translate", "-l", "de", "--beam-size", "3"]),
        (("-oout", "-f", "srt,vtt"), None),
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
        ("--device", "cuda"),
        ("--compute_type", "float16"),
        ("-osrt",),
        ("-of", "film"),
        ("-f", "film.wav"),
    ],
)
def test_an_option_that_changes_something_is_never_left_out(typed: tuple[str, ...]) -> None:
    with raises("invalid_request", match=f"^Voxgate has no {typed[0]}"):
        translated(*typed)


ALL_OPTIONS = {**PEER_OPTIONS, **WHISPER_CPP_OPTIONS}


@pytest.mark.parametrize("option", ALL_OPTIONS)
def test_every_option_of_the_table_is_taken_or_answered_in_one_line(
    option: str, tmp_path: Path
) -> None:
    match ALL_OPTIONS[option]:
        case Renamed(name):
            assert translated(option, "x") == [name, "x"]
        case Setting(variable, values, _):
            for value, setting in values.items():
                assert translated(option, value) == []
                assert environ == {variable: setting}
                Settings.read({"VOXGATE_HOME": str(tmp_path), **environ})
            with raises("invalid_request", match=f"^Voxgate has no {option} 7.5. "):
                translated(option, "7.5")
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
    for peer in ALL_OPTIONS.values():
        if isinstance(peer, Renamed):
            assert f"{peer.option.partition('=')[0]} " in page
    assert not any(f" {option} " in page or f" {option}," in page for option in ALL_OPTIONS)


def test_a_refusal_is_wrong_usage_in_one_line(empty_cli: CliRunner) -> None:
    done = empty_cli.run("transcribe", "a.wav", "--device", "cuda")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith("voxgate: Voxgate has no --device cuda. A Whisper computes on the CPU. ")


def test_all_options_that_cannot_be_taken_are_named_at_once() -> None:
    typed = ("--threads", "2", "--best_of", "1", "-osrt", "--patience", "2", "--fp16", "False")
    with raises("invalid_request") as refusal:
        translated(*typed)
    assert refusal.value.sentence == (
        "Voxgate has no --threads. Choose the cores: taskset -c 0-3 voxgate transcribe ... "
        "Voxgate has no --best_of 1 and --patience 2. Leave them out: there is nothing to choose "
        "here. Voxgate has no -osrt. Type -o NAME.srt, or -f srt for standard output."
    )


@pytest.mark.parametrize(
    ("formats", "lacking"),
    [
        ((), "txt has"),
        (("-f", "json"), "json has"),
        (("--output_format=json,tsv",), "json and tsv have"),
        (("-f", "json", "-f", "verbose_json"), ""),
        (("-f", "all"), ""),
        (("-f", "srt,vtt"), ""),
    ],
)
def test_times_of_words_are_promised_by_no_format_that_has_none(
    formats: tuple[str, ...], lacking: str
) -> None:
    translated("--word_timestamps", "True", *formats)
    sentence = f"warning: --word_timestamps: {lacking} no times of words; -f verbose_json has them."
    assert warned == ([sentence] if lacking else [])


def test_every_format_that_has_words_writes_their_times() -> None:
    words = (Word("Yes,", 0.125, 0.25), Word("now.", 3.5, 3.75))
    transcript = Transcript((Segment("Yes, now.", 0.0, 8.0, words),), 8.0, "scripted")
    for writer in WRITERS.values():
        assert bool(re.search(r"\b0?3[.,]50*\b", writer.write(transcript))) == writer.has_words


def test_formats_as_further_words_are_answered_with_what_to_type(empty_cli: CliRunner) -> None:
    done = empty_cli.run("transcribe", "a.wav", "-f", "srt", "vtt", "tsv")
    assert done.returncode == 2
    assert "Type -f srt,vtt,tsv." in done.stderr


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
