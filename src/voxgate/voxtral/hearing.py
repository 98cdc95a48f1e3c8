"""`Hearing`: one sound on its way to text, token by token. What computes the tokens is not here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.voxtral.features import CHUNK_S, SAMPLE_RATE, chunks_of, samples_of
from voxgate.voxtral.generation import Draft, cap
from voxgate.voxtral.prompt import transcription
from voxgate.voxtral.sampling import Sampler, Sampling

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from torch import Tensor

    from voxgate.voxtral.generation import Generation
    from voxgate.voxtral.sampling import Likeliest
    from voxgate.voxtral.tokenizer import Tokenizer


class Hearing:
    """A sound with its prompt, and the text that is being written of it.

    Whoever runs it alone and whoever runs several together take the same steps: the prompt, then
    one token behind another until `take` says that the text is finished.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        samples: np.ndarray | Sequence[float] | Tensor,
        language: str | None = None,
        max_tokens: int | None = None,
        *,
        stop: Sequence[str] = (),
        sampling: Sampling | None = None,
    ) -> None:
        """`Voxtral.generate` says what these mean, and what is raised for them."""
        self.sound = samples_of(samples)
        self.seconds = len(self.sound) / SAMPLE_RATE
        self._draft = Draft(tokenizer, self.seconds, max_tokens, stop)
        self.prompt = transcription(tokenizer, chunks_of(self.sound), language)
        self._sampler = Sampler(sampling or Sampling())

    @property
    def positions(self) -> int:
        """The most that its slot of a cache has to hold."""
        return len(self.prompt) + self._draft.limit

    @property
    def settled(self) -> str:
        """The text so far, as far as nothing can change it any more."""
        return self._draft.settled

    @property
    def last(self) -> int:
        """The token that was taken last, and has to go through the model next."""
        return self._draft.last

    def take(self, logits: Tensor, likeliest: Likeliest | None = None) -> bool:
        """Choose the next token of these logits [vocabulary]; False when the text is finished.

        `likeliest` is for who knows it already. Raises `EngineRefusedError` where they are no
        numbers.
        """
        return self._draft.push(*self._sampler.choose(logits, likeliest))

    def generation(self) -> Generation:
        """What was written, once it is finished."""
        return self._draft.generation()


def most_positions(tokenizer: Tokenizer, chunks: int, languages: Iterable[str | None]) -> int:
    """What a slot has to hold for any sound of so many chunks, in any of these languages."""
    prompts = [len(transcription(tokenizer, chunks, language)) for language in languages]
    return max(prompts) + cap(CHUNK_S * chunks)
