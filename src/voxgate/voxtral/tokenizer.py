"""`Tokenizer`: text to token ids and back, byte for byte; the vocabulary is Mistral's Tekken.

A character may be spread over several tokens, so that ids are turned into bytes, and bytes into
text. Control tokens are no text. The library, mistral-common, needs no network for this.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from voxgate.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from voxgate.voxtral.checkpoint.config import VoxtralConfig

_TAG = re.compile(r"lang:[a-z]{2}")
_TAG_LENGTH = len("lang:xx")


class Tokenizer:
    """A `tekken.json` with the control tokens that transcription needs."""

    def __init__(self, tekken: Tekkenizer) -> None:
        self._tekken = tekken
        self.bos = tekken.get_special_token("<s>")
        self.eos = tekken.get_special_token("</s>")
        self.pad = tekken.get_special_token("<pad>")
        self.inst = tekken.get_special_token("[INST]")
        self.end_inst = tekken.get_special_token("[/INST]")
        self.audio = tekken.get_special_token("[AUDIO]")
        self.begin_audio = tekken.get_special_token("[BEGIN_AUDIO]")
        self.transcribe = tekken.get_special_token("[TRANSCRIBE]")

    @classmethod
    def open(cls, path: Path, config: VoxtralConfig | None = None) -> Tokenizer:
        """Read a `tekken.json`; half a second for the full vocabulary of 131 072.

        Raises `CheckpointError` for a file that is broken or, where `config` is given, another
        model's.
        """
        try:
            tekken = Tekkenizer.from_file(path)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, AssertionError) as error:
            # The library checks with assertions, whose text is a dump of the vocabulary.
            reason = type(error).__name__ if isinstance(error, AssertionError) else str(error)[:200]
            raise CheckpointError(
                f"{path} cannot be read as a vocabulary ({reason}). Get the file again."
            ) from error
        try:
            tokenizer = cls(tekken)
        except ValueError as error:
            raise _foreign(path, str(error)[:200]) from error
        if config is not None:
            tokenizer._check(path, config)
        return tokenizer

    @property
    def vocabulary(self) -> int:
        """How many ids there are, control tokens included."""
        return self._tekken.n_words

    @property
    def stops(self) -> frozenset[int]:
        """Tokens that end a transcript: `</s>`, and `<pad>`, which is never text."""
        return frozenset((self.eos, self.pad))

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without a beginning or an end. Control tokens never come of text."""
        return self._tekken.encode(text, bos=False, eos=False)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these ids; bytes that are no UTF-8 become U+FFFD."""
        stream = self.stream()
        return "".join(map(stream.push, ids)) + stream.flush()

    def stream(self) -> TextStream:
        """A decoder that takes ids one by one."""
        return TextStream(self)

    def bytes_of(self, token: int) -> bytes:
        """The bytes that a token stands for; none for a control token."""
        return self._tekken.id_to_byte_piece(token)

    def _check(self, path: Path, config: VoxtralConfig) -> None:
        vocabulary = config.decoder.vocabulary
        if self.vocabulary != vocabulary:
            raise _foreign(path, f"it has {self.vocabulary} tokens, and the model {vocabulary}")
        if self.audio != config.audio_token:
            raise _foreign(
                path, f"its [AUDIO] is {self.audio}, and the model's is {config.audio_token}"
            )


class TextStream:
    """Ids in, text out as soon as its characters are whole.

    `lang:xx` at the very beginning is held back and dropped: it is the prompt's language tag, which
    a model may repeat, and never speech.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._head: str | None = ""  # the beginning, while it may still become a tag

    def push(self, token: int) -> str:
        """The text that this token completes; often empty for scripts of several bytes."""
        return self._past_tag(self._utf8.decode(self._tokenizer.bytes_of(token)))

    def flush(self) -> str:
        """What is left at the end; a character that was never completed is U+FFFD."""
        text = self._past_tag(self._utf8.decode(b"", final=True))
        head, self._head = self._head or "", None
        return text + head

    def _past_tag(self, text: str) -> str:
        if self._head is None:
            return text
        self._head += text
        if len(self._head) < _TAG_LENGTH and "lang:".startswith(self._head[: len("lang:")]):
            return ""
        whole, self._head = self._head, None
        return _TAG.sub("", whole, count=1) if _TAG.match(whole) else whole


def _foreign(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is the vocabulary of another model: {reason}. Take the tekken.json that came with "
        f"these weights."
    )
