"""Options of openai-whisper, faster-whisper, whisper-ctranslate2 and whisper.cpp.

People type what they know. An option that Voxgate has under another name is taken, and so is a
value that says what Voxgate always does. One that can change no text is taken with a warning. Any
other is refused, in one line with what to type: it would change the result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Renamed:
    """An option that has another name here; with a value in it, `--task=translate`, a flag."""

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
class Setting:
    """An option that is a setting here, for some values. `otherwise` is for the other ones."""

    variable: str
    values: Mapping[str, str]  # each with that of the setting
    otherwise: str


@dataclass(frozen=True, slots=True)
class Unneeded:
    """An option that changes nothing of the result: a warning says why it has no effect."""

    reason: str
    is_flag: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """An option that cannot be taken; `instead` is a sentence with what to type."""

    instead: str


PeerOption: TypeAlias = Renamed | Always | Setting | Unneeded | Refused

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
_CORES = Refused("Choose the cores: taskset -c 0-3 voxgate transcribe ...")
_CLIP = Refused(
    "Cut it out first: ffmpeg -ss START -to END -i FILE -f wav - | voxgate transcribe -"
)
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
    "--device": Setting(
        "VOXGATE_DEVICE",
        {"cpu": "cpu", "auto": "auto"},
        "A Whisper computes on the CPU. For a Voxtral type VOXGATE_DEVICE=cuda voxgate "
        "transcribe ...",
    ),
    "--device_index": Refused(
        "A Whisper computes on the CPU. For a Voxtral type VOXGATE_DEVICE=cuda:0 voxgate "
        "transcribe ..."
    ),
    "--compute_type": Setting(  # of a Voxtral; a Whisper always computes with 8 bits
        "VOXGATE_PROFILE",
        {"int8": "balanced", "int8_float32": "balanced", "auto": "auto", "default": "auto"},
        "A Whisper computes with 8 bits. For a Voxtral type VOXGATE_PROFILE=fast voxgate "
        "transcribe ..., or balanced or exact.",
    ),
    "--fp16": Unneeded("the numbers are chosen for the device"),
    "--threads": _CORES,
    "--cpu_threads": _CORES,
    "--clip_timestamps": Always("0", _CLIP.instead),
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

_TXT = Refused("Type -o NAME.txt, or nothing for standard output.")
_SRT = Refused("Type -o NAME.srt, or -f srt for standard output.")
_VTT = Refused("Type -o NAME.vtt, or -f vtt for standard output.")
_JSON = Refused("Type -f verbose_json -o NAME.json; without -o it goes to standard output.")
_NAMED_FILE = Refused("Type -o NAME.srt: its ending is the format.")
_TRANSLATE = Renamed("--task=translate")

WHISPER_CPP_OPTIONS: Mapping[str, PeerOption] = {
    "-otxt": _TXT,
    "--output-txt": _TXT,
    "-osrt": _SRT,
    "--output-srt": _SRT,
    "-ovtt": _VTT,
    "--output-vtt": _VTT,
    "-oj": _JSON,
    "-ojf": _JSON,
    "--output-json": _JSON,
    "--output-json-full": _JSON,
    "-of": _NAMED_FILE,
    "--output-file": _NAMED_FILE,
    "-tr": _TRANSLATE,
    "--translate": _TRANSLATE,
    "-bs": Renamed("--beam-size"),
    "-t": _CORES,
    "-ot": _CLIP,
    "--offset-t": _CLIP,
    "-d": _CLIP,
    "--duration": _CLIP,
    "-ml": _LAYOUT,
    "--max-len": _LAYOUT,
    "-nt": Unneeded("txt has no times"),
    "--no-timestamps": Unneeded("txt has no times"),
    "-np": Unneeded("only the words go to standard output"),
    "--no-prints": Unneeded("only the words go to standard output"),
    "-pp": Unneeded("a terminal shows progress, a pipe does not"),
    "-pc": Unneeded("the words have no colours"),
    "-ng": Refused("Type --device cpu."),
    "--no-gpu": Refused("Type --device cpu."),
    "-di": Refused("Type --channels split, for parties who have a channel each."),
    "--diarize": Refused("Type --channels split, for parties who have a channel each."),
}
"""By the names of whisper.cpp's `whisper-cli`, where they are no names of our own."""
