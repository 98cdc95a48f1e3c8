"""Options of openai-whisper, faster-whisper and whisper-ctranslate2 for `voxgate transcribe`.

People type what they know. An option that Voxgate has under another name is taken, and so is a
value that says what Voxgate always does. One that can change no text is taken with a warning. Any
other is refused, in one line with what to type: it would change the result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from voxgate.cli.streams import print_message
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Renamed:
    """An option that has another name here."""

    option: str


@dataclass(frozen=True, slots=True)
class Always:
    """An option of which one value is what always happens. `otherwise` is for the other ones."""

    value: str  # "true", "false" or a number
    otherwise: str

    @property
    def is_flag(self) -> bool:
        """Whether the value may be left out."""
        return self.value in {"true", "false"}

    def happens(self, typed: str) -> bool:
        """Return whether what was typed is the value."""
        if self.is_flag:
            return BOOLEANS.get(typed.lower()) == self.value
        return bool(NUMBER.fullmatch(typed)) and float(typed) == float(self.value)


@dataclass(frozen=True, slots=True)
class Unneeded:
    """An option that changes nothing of the result: a warning says why it has no effect."""

    reason: str
    is_flag: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """An option that cannot be taken; `instead` is a sentence with what to type."""

    instead: str


PeerOption: TypeAlias = Renamed | Always | Unneeded | Refused

NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")
BOOLEANS = {
    "true": "true",
    "1": "true",
    "yes": "true",
    "false": "false",
    "0": "false",
    "no": "false",
}

_FIXED = Refused("Leave it out: there is nothing to choose here.")
_DETECTOR = Refused("Leave it out: the detector of speech has no settings.")
_LAYOUT = Refused("Leave it out: captions have at most two lines of readable length.")
_RETRIES = Refused(
    "Leave it out: a Whisper decodes a doubtful text again at rising temperatures, "
    "and marks what stays doubtful."
)

PEER_OPTIONS: Mapping[str, PeerOption] = {
    "--output_dir": Renamed("--output"),
    "--output_format": Renamed("--format"),
    "--initial_prompt": Renamed("--prompt"),
    "--hotwords": Renamed("--keyterm"),
    "--beam_size": Renamed("--beam-size"),
    "--top_p": Renamed("--top-p"),
    "--max_tokens": Renamed("--max-tokens"),
    "--max_new_tokens": Renamed("--max-tokens"),
    "--model_directory": Renamed("--model"),
    "--word_timestamps": Always(
        "true", "Leave it out: -f verbose_json has the times of words, the other formats have none."
    ),
    "--vad_filter": Always("true", "Leave it out: only speech is recognised."),
    "--condition_on_previous_text": Always(
        "false", "Leave it out: windows are recognised one by one. --prompt TEXT goes before each."
    ),
    "--carry_initial_prompt": Always(
        "true", "Leave it out: --prompt TEXT goes before each window."
    ),
    "--verbose": Unneeded("without -o the words go to standard output"),
    "--print_progress": Unneeded("a terminal shows progress, a pipe does not"),
    "--print_colors": Unneeded("the words have no colours"),
    "--model_dir": Refused("Set the folder of models: VOXGATE_HOME=DIR voxgate transcribe ..."),
    "--local_files_only": Always("false", "Type voxgate --offline transcribe ..."),
    "--hf_token": Refused("Get the model first: voxgate models pull OWNER/NAME --token TOKEN."),
    "--device": Refused(
        "Set the device of Voxtral: VOXGATE_DEVICE=cuda voxgate transcribe ..., or cpu. "
        "A Whisper computes on the CPU."
    ),
    "--device_index": Refused("Set the GPU: VOXGATE_DEVICE=cuda:0 voxgate transcribe ..."),
    "--compute_type": Refused(
        "Set the weights of Voxtral: VOXGATE_PROFILE=fast voxgate transcribe ..., or balanced or "
        "exact. A Whisper computes with 8 bits."
    ),
    "--fp16": Unneeded("the numbers are chosen for the device"),
    "--threads": Refused("Choose the cores: taskset -c 0-3 voxgate transcribe ..."),
    "--cpu_threads": Refused("Choose the cores: taskset -c 0-3 voxgate transcribe ..."),
    "--clip_timestamps": Always(
        "0",
        "Cut it out first: ffmpeg -ss START -to END -i FILE -f wav - | voxgate transcribe -",
    ),
    "--batched": Unneeded("windows that wait are one batch"),
    "--batch_size": Unneeded("windows that wait are one batch", is_flag=False),
    "--repetition_penalty": Always("1", "Type --frequency-penalty NUMBER, with a Voxtral."),
    "--without_timestamps": Always("false", "Type -f txt."),
    "--max_line_width": _LAYOUT,
    "--max_line_count": _LAYOUT,
    "--max_words_per_line": _LAYOUT,
    "--highlight_words": Always("false", _LAYOUT.instead),
    "--temperature_increment_on_fallback": _RETRIES,
    "--compression_ratio_threshold": Always("2.4", _RETRIES.instead),
    "--logprob_threshold": Always("-1", _RETRIES.instead),
    "--no_speech_threshold": Always("0.6", _RETRIES.instead),
    "--hallucination_silence_threshold": _RETRIES,
    "--vad_threshold": _DETECTOR,
    "--vad_min_speech_duration_ms": _DETECTOR,
    "--vad_max_speech_duration_s": _DETECTOR,
    "--vad_min_silence_duration_ms": _DETECTOR,
    "--vad_speech_pad_ms": _DETECTOR,
    "--best_of": Always("5", _FIXED.instead),
    "--patience": Always("1", _FIXED.instead),
    "--length_penalty": Always("1", _FIXED.instead),
    "--no_repeat_ngram_size": Always("0", _FIXED.instead),
    "--suppress_tokens": Always("-1", _FIXED.instead),
    "--suppress_blank": Always("true", _FIXED.instead),
    "--prepend_punctuations": _FIXED,
    "--append_punctuations": _FIXED,
    "--chunk_length": Always("30", _FIXED.instead),
}
"""By the option's name with underscores; with hyphens it is the same option."""


def translate_options(
    arguments: Sequence[str], warn: Callable[[str], None] = print_message
) -> list[str]:
    """Return the arguments of `voxgate transcribe` with other programs' options as our own.

    Arguments of other commands are returned as they are. `warn` gets a sentence for each option
    that has no effect. Raises `UsageError` for an option that cannot be taken.
    """
    if "transcribe" not in arguments:
        return list(arguments)
    at = arguments.index("transcribe") + 1
    return [*arguments[:at], *_translated(arguments[at:], warn)]


def _translated(arguments: Sequence[str], warn: Callable[[str], None]) -> Iterator[str]:
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            yield from (argument, *rest)
            return
        typed, equals, value = argument.partition("=")
        peer = PEER_OPTIONS.get("--" + typed[2:].replace("-", "_")) if typed[:2] == "--" else None
        if isinstance(peer, Renamed):
            yield f"{peer.option}{equals}{value}"
        elif isinstance(peer, Refused):
            raise _refusal(typed, peer.instead)
        elif isinstance(peer, Always | Unneeded):
            _drop(peer, typed, value if equals else _take_value(rest, peer.is_flag), warn)
        else:
            yield argument


def _take_value(rest: list[str], is_flag: bool) -> str:
    """Remove and return the value at the beginning; "true" for a flag without one."""
    if is_flag and not (rest and rest[0].lower() in BOOLEANS):
        return "true"
    return rest.pop(0) if rest else ""


def _drop(option: Always | Unneeded, typed: str, value: str, warn: Callable[[str], None]) -> None:
    if isinstance(option, Unneeded):
        warn(f"warning: {typed} has no effect: {option.reason}.")
    elif not option.happens(value):
        raise _refusal(f"{typed} {value}", option.otherwise)


def _refusal(typed: str, instead: str) -> UsageError:
    return UsageError(f"Voxgate has no {typed}. {instead}")
