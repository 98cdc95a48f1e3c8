"""Voxtral Mini and Small in readable PyTorch. This package knows tensors and checkpoints only.

    samples → features → encoder → projector ┐
                     tokenizer → prompt ─────┴→ decoder (over a cache) → sampling → text

    from voxgate.voxtral import Voxtral

    model = Voxtral.load("voxtral-mini")
    print(model.generate(samples, language="en").text)

`docs/voxtral.md` maps each equation of the model to its line of code. Importing this package does
not import torch: the names below are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxgate.voxtral.decoding import DecodingResult
    from voxgate.voxtral.model import Voxtral

__all__ = ["DecodingResult", "Voxtral"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'voxgate.voxtral' has no attribute '{name}'")
    from voxgate.voxtral import decoding, model  # noqa: PLC0415 (it imports torch)

    return model.Voxtral if name == "Voxtral" else decoding.DecodingResult
