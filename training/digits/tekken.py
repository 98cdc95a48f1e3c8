"""tekken.json: the first text tokens of Mistral's vocabulary, and its control tokens.

The vocabulary comes with mistral-common (Apache-2.0).
"""

from __future__ import annotations

import json
from enum import IntEnum
from functools import cache
from pathlib import Path

import mistral_common
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from training.digits.features import FFT, FRAME, MELS
from training.digits.recordings import RATE, WORDS

SOURCE = "tekken_240911.json"
CONTROLS = 1000
TEXT = 3096
VOCABULARY = CONTROLS + TEXT
"""Ids: the control tokens come first, text token n has the id 1000 + n."""


class Control(IntEnum):
    """Ids of the control tokens of a transcription."""

    BEGIN = 1
    END = 2
    INSTRUCTION = 3
    INSTRUCTION_END = 4
    PAD = 11
    AUDIO = 24
    BEGIN_AUDIO = 25
    TRANSCRIBE = 34


NAMES = {
    **dict(
        enumerate(
            (
                *("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]"),
                *("[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]"),
                *("[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]", "[PREFIX]", "[MIDDLE]"),
                *("[SUFFIX]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CONTENT]"),
            )
        )
    ),
    Control.AUDIO: "[AUDIO]",
    Control.BEGIN_AUDIO: "[BEGIN_AUDIO]",
    Control.TRANSCRIBE: "[TRANSCRIBE]",
}


def write(path: Path) -> None:
    """Write tekken.json in the format of the published checkpoints (version v7, with audio)."""
    source = Path(mistral_common.__file__).parent / "data" / SOURCE
    base = json.loads(source.read_text(encoding="utf-8"))
    sizes = {"version": "v7", "num_vocab_tokens": TEXT, "default_vocab_size": VOCABULARY}
    encoding = {"num_mel_bins": MELS, "hop_length": FRAME, "window_size": FFT}
    tekken = {
        "config": base["config"] | sizes,
        "vocab": base["vocab"][:TEXT],
        "special_tokens": [
            {"rank": rank, "token_str": NAMES.get(rank, f"<SPECIAL_{rank}>"), "is_control": True}
            for rank in range(CONTROLS)
        ],
        "audio": {
            "sampling_rate": RATE,
            "frame_rate": 12.5,
            "audio_encoding_config": encoding,
            "chunk_length_s": 30.0,
        },
        "version": 1,
        "type": "Tekken",
    }
    path.write_text(json.dumps(tekken), encoding="utf-8")


class Words:
    """Token ids of the digits' words and of the prompt's language."""

    def __init__(self, tekken: Path) -> None:
        self._tekken = Tekkenizer.from_file(tekken)
        self.english = self.encode("lang:en")

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without control tokens."""
        return list(self._tekken.encode(text, bos=False, eos=False))

    def prompt(self, audio_tokens: int, *, english: bool) -> list[int]:
        """Return a transcription prompt: the audio, then the language if it is given."""
        language = self.english if english else []
        return [
            *(Control.BEGIN, Control.INSTRUCTION, Control.BEGIN_AUDIO),
            *[Control.AUDIO] * audio_tokens,
            *(Control.INSTRUCTION_END, *language, Control.TRANSCRIBE),
        ]

    @cache  # noqa: B019 - one instance a run, twenty words
    def word(self, digit: int, *, first: bool) -> list[int]:
        """Return the ids of a digit's word. Tekken splits at spaces, so words are independent."""
        return self.encode(WORDS[digit] if first else f" {WORDS[digit]}")
