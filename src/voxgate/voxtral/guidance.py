"""`Guidance`: which tokens may come next, so that an answer becomes a JSON value of a schema.

llguidance reads the schema and knows after each token which others may follow, byte for byte; it
guesses nothing (decisions/0037). A mask is computed in a thread, without Python's lock, while the
model computes the logits that it is for.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

from voxgate.answers.schema import grammar, grammar_limits
from voxgate.errors import EngineError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from torch import Tensor

    from voxgate.voxtral.tokenizer import Tokenizer

MASK_THREADS = 4
"""Masks that are computed at once: each takes some 50 µs, and a step of the model 10 ms or more."""


class GuidanceTokenizer:
    """A checkpoint's vocabulary as llguidance reads it, for all sequences of a model.

    Building it takes half a second for 131 072 tokens.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.library = LLTokenizer(TokenizerWrapper(_Vocabulary(tokenizer)))
        self.threads = ThreadPoolExecutor(MASK_THREADS, thread_name_prefix="masks")


class _Vocabulary:
    """What llguidance asks of a tokenizer. A control token is never part of a text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        controls = tokenizer.control_tokens
        self.eos_token_id = tokenizer.eos
        self.bos_token_id = tokenizer.bos
        self.special_token_ids = list(controls)
        self.tokens = [
            b"<%d>" % token if token in controls else tokenizer.token_bytes(token)
            for token in range(tokenizer.vocabulary)
        ]
        self._encode = tokenizer.encode

    def __call__(self, text: str) -> list[int]:
        return self._encode(text)


class Guidance:
    """One answer on its way to a JSON value. Not safe for several threads at once.

    The caller asks for a `mask` and accepts a token that it allows, in turn, until `finished`. The
    schema is compiled and the first mask computed in a thread, from the start; `prepare` starts the
    same for the mask after an accepted token.
    """

    def __init__(self, tokenizer: GuidanceTokenizer, schema: str) -> None:
        """Take the text of a schema that `checked_schema` returned."""
        self._tokenizer = tokenizer
        self._matcher: LLMatcher
        self._mask: Future[Tensor] | None = tokenizer.threads.submit(self._begin, schema)
        self.finished = False
        """Whether the value is complete and nothing can follow but the end, or the end came."""

    def prepare(self) -> Future[Tensor]:
        """Start to compute the next mask, unless it was started already. Does not wait for it."""
        if self._mask is None:
            self._mask = self._tokenizer.threads.submit(self._compute)
        return self._mask

    def mask(self) -> Tensor:
        """Return which tokens may come next: bool [vocabulary], on the CPU; at least one is True.

        Raises `UsageError` (`unsupported_schema`) where the schema is too complex to go on.
        """
        return self.prepare().result()

    def accept(self, token: int) -> None:
        """Append a token. Raise `EngineError` (`engine_refused`) for one that the mask forbids."""
        if not self.mask()[token] or not self._matcher.consume_token(token):
            raise EngineError(
                f"The token {token} cannot follow in an answer by this schema. This is a bug of "
                f"Voxgate's engine: report it with the schema.",
                code="engine_refused",
            )
        self.finished = self._matcher.is_stopped()
        self._mask = None

    def _begin(self, schema: str) -> Tensor:
        self._matcher = LLMatcher(
            self._tokenizer.library, grammar(schema), log_level=0, limits=grammar_limits()
        )
        return self._compute()

    def _compute(self) -> Tensor:
        # One byte a token, unlike a packed mask, is applied without being unpacked.
        allowed = np.frombuffer(self._matcher.compute_logit_bias(), np.uint8) != 0
        if self._matcher.is_error() or not allowed.any():
            raise UsageError(
                "The answer's schema is too complex to be followed at this place of the answer. "
                "Use one with fewer alternatives, shorter patterns or smaller limits.",
                code="unsupported_schema",
            )
        return torch.from_numpy(allowed)
