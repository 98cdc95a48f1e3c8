"""A tekken.json like Voxtral's, from the vocabulary in mistral-common."""

import json
from pathlib import Path

import mistral_common

TINY_TEXTS = 3_096
"""Text tokens of a vocabulary of 4 096: language tags are split into more tokens."""

ALL_TEXTS = 130_072
"""Text tokens of the published vocabulary of 131 072."""

CONTROLS = 1_000
"""Special tokens, before the text tokens."""

UNUSED = 150_000 - ALL_TEXTS
"""Entries of the published file beyond its vocabulary: they are not tokens."""


NAMES = """
    <unk> <s> </s> [INST] [/INST] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_RESULTS]
    [/TOOL_RESULTS] [TOOL_CALLS] [IMG] <pad> [IMG_BREAK] [IMG_END] [PREFIX] [MIDDLE] [SUFFIX]
    [SYSTEM_PROMPT] [/SYSTEM_PROMPT] [TOOL_CONTENT]
"""
CONTROL_NAMES = dict(enumerate(NAMES.split())) | {
    24: "[AUDIO]",
    25: "[BEGIN_AUDIO]",
    34: "[TRANSCRIBE]",
}


TEXTS = [
    "",
    "The quick brown fox.",
    "  two  spaces\tand\nlines \n",
    "Ça coûte 12 € à Besançon, n'est-ce pas ?",
    "今日は良い天気ですね。",
    "नमस्ते दुनिया",
    "مرحبا بالعالم",
    "🎧👩‍👩‍👧‍👦 family 𝄞",
    "<s>[INST][AUDIO]</s>",
    "a" * 300,
]
"""Texts with one to four bytes a character, which tokens may split."""


def write_tekken(path: Path, texts: int) -> Path:
    """Write a tekken.json like Voxtral's, with `texts` text tokens."""
    package = Path(mistral_common.__file__).parent
    published = json.loads((package / "data/tekken_240911.json").read_text("utf-8"))
    entries = texts + UNUSED
    sizes = {"num_vocab_tokens": entries, "default_vocab_size": texts + CONTROLS, "version": "v7"}
    mel = {"num_mel_bins": 128, "hop_length": 160, "window_size": 400}
    tekken = {
        "config": published["config"] | sizes,
        "vocab": published["vocab"][:entries],
        "audio": {
            "sampling_rate": 16_000,
            "frame_rate": 12.5,
            "audio_encoding_config": mel,
            "chunk_length_s": 30.0,
        },
        "version": 1,
        "type": "Tekken",
        "special_tokens": [
            {"rank": i, "token_str": CONTROL_NAMES.get(i, f"<SPECIAL_{i}>"), "is_control": True}
            for i in range(CONTROLS)
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(tekken), "utf-8")
    return path
