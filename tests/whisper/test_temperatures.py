"""A window is tried at its own temperatures, whatever others in its group ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.engine.material import voice_note
from tests.whisper.weights import whisper_folder
from voxgate.whisper.decoding import TEMPERATURES, DecodingOptions, decode_windows
from voxgate.whisper.model import Whisper

if TYPE_CHECKING:
    import pytest

RATE = 16_000
SEED = 20
SECONDS = 4
LOUDNESS = 5000  # of noise, in which the text of this speech is unlikely


def test_another_window_s_temperature_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"seed {SEED}")
    model, generate = Whisper.load(whisper_folder()), Whisper.generate
    speech = np.frombuffer(voice_note(), "<i2")[: SECONDS * RATE].astype(float)
    noisy = speech + np.random.default_rng(SEED).normal(0, LOUDNESS, len(speech))
    heard = np.clip(noisy, -32768, 32767).astype("<i2").tobytes()
    features = [model.features(heard)] * 2
    own = DecodingOptions(language="en", seconds=SECONDS)
    other = replace(own, temperature=0.2)
    calls = list[float]()

    def note(self: Whisper, *arguments: Any, temperature: float = 0.0, **options: Any) -> Any:
        calls.append(temperature)
        return generate(self, *arguments, temperature=temperature, **options)

    monkeypatch.setattr(Whisper, "generate", note)
    for _ in decode_windows(model, model.encode(features), [own, other]):
        pass
    assert calls.count(0.4) >= 1, "the first window was not doubted"
    assert calls.count(0.2) == 1
    assert {*calls} <= {*TEMPERATURES, 0.2}
