"""`Tokenizer`: text to token ids and back, byte for byte; the vocabulary is Mistral's Tekken.

A character can be spread over several tokens: ids are decoded to bytes, and bytes to text. Control
tokens have no text. The library, mistral-common, needs no network for this.
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
        """Read a `tekken.json`. The full vocabulary of 131 072 takes half a second.

        Raises `CheckpointError` for a damaged file and, if `config` is given, for the vocabulary
        of another model.
        """
        try:
            tekken = Tekkenizer.from_file(path)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, AssertionError) as error:
            # The library checks with assertions whose message is a dump of the vocabulary.
            reason = type(error).__name__ if isinstance(error, AssertionError) else str(error)[:200]
            raise CheckpointError(
                f"{path} cannot be read as a vocabulary ({reason}). Get the file again."
            ) from error
        try:
            tokenizer = cls(tekken)
        except ValueError as error:
            raise _wrong_vocabulary(path, str(error)[:200]) from error
        if config is not None:
            tokenizer._check(path, config)
        return tokenizer

    @property
    def vocabulary(self) -> int:
        """The number of ids, control tokens included."""
        return self._tekken.n_words

    @property
    def control_tokens(self) -> range:
        """The ids of control tokens, which have no text."""
        return range(self._tekken.num_special_tokens)

    @property
    def stop_tokens(self) -> frozenset[int]:
        """The tokens that end a transcript: `</s>`, and `<pad>`, which is never text."""
        return frozenset((self.eos, self.pad))

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without `<s>` and `</s>`. Text never becomes control tokens."""
        return self._tekken.encode(text, bos=False, eos=False)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of these ids. Bytes that are not UTF-8 become U+FFFD."""
        stream = self.stream(drop_language_tag=True)
        return "".join(map(stream.push, ids)) + stream.flush()

    def stream(self, *, drop_language_tag: bool) -> TextStream:
        """Return an incremental decoder, which takes ids one by one."""
        return TextStream(self, drop_language_tag=drop_language_tag)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of a token; empty for a control token."""
        return self._tekken.id_to_byte_piece(token)

    def _check(self, path: Path, config: VoxtralConfig) -> None:
        vocabulary = config.decoder.vocabulary
        if self.vocabulary != vocabulary:
            raise _wrong_vocabulary(
                path, f"it has {self.vocabulary} tokens, and the model {vocabulary}"
            )
        if self.audio != config.audio_token:
            raise _wrong_vocabulary(
                path, f"its [AUDIO] is {self.audio}, and the model's is {config.audio_token}"
            )


class TextStream:
    """Decodes ids to text as soon as the characters are complete.

    With `drop_language_tag`, `lang:xx` at the very start is withheld and dropped: it is the tag of
    the transcription prompt, which a model may repeat, and never speech.
    """

    def __init__(self, tokenizer: Tokenizer, *, drop_language_tag: bool) -> None:
        self._tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        # The first characters, while they may become a tag.
        self._head: str | None = "" if drop_language_tag else None

    def push(self, token: int) -> str:
        """Return the text that this token completes; empty inside characters of several bytes."""
        return self._drop_tag(self._utf8.decode(self._tokenizer.token_bytes(token)))

    def flush(self) -> str:
        """Return the remaining text. A character that was never completed is U+FFFD."""
        text = self._drop_tag(self._utf8.decode(b"", final=True))
        head, self._head = self._head or "", None
        return text + head

    def _drop_tag(self, text: str) -> str:
        if self._head is None:
            return text
        self._head += text
        if len(self._head) < _TAG_LENGTH and "lang:".startswith(self._head[: len("lang:")]):
            return ""
        whole, self._head = self._head, None
        return _TAG.sub("", whole, count=1) if _TAG.match(whole) else whole


def _wrong_vocabulary(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is the vocabulary of another model: {reason}. Use the tekken.json that came with "
        f"these weights."
    )
