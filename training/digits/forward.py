"""The forward pass over crops of any length, with the modules of transformers.

The Voxtral of transformers accepts windows of 30 s only. This file replaces the code between its
modules: it slices the table of positions, and puts audio embeddings into the prompt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import gelu

from training.digits.model import HIDDEN

if TYPE_CHECKING:
    from transformers import VoxtralForConditionalGeneration

BEFORE_AUDIO = 3
"""Tokens of the prompt before the audio."""


def encode_audio(model: VoxtralForConditionalGeneration, features: torch.Tensor) -> torch.Tensor:
    """Return audio embeddings [rows, tokens, hidden] of features [rows, mels, 8 x tokens]."""
    if not features.shape[2]:
        return features.new_zeros(len(features), 0, HIDDEN)
    tower = model.model.audio_tower
    frames = gelu(tower.conv2(gelu(tower.conv1(features)))).transpose(1, 2)
    frames = frames + tower.embed_positions.weight[: frames.shape[1]]
    for layer in tower.layers:
        frames = layer(frames, attention_mask=None)
    frames = tower.layer_norm(frames)
    groups = frames.reshape(len(frames), -1, 4 * frames.shape[2])
    embeddings: torch.Tensor = model.model.multi_modal_projector(groups)
    return embeddings


def run_language_model(
    model: VoxtralForConditionalGeneration, tokens: torch.Tensor, audio: torch.Tensor, middle: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return hidden states [rows, positions, hidden] for the head, and after `middle` layers."""
    language = model.model.language_model
    embeddings = language.embed_tokens(tokens)
    after = BEFORE_AUDIO + audio.shape[1]
    hidden = torch.cat([embeddings[:, :BEFORE_AUDIO], audio, embeddings[:, after:]], 1)
    positions = torch.arange(hidden.shape[1])[None]
    rotary = language.rotary_emb(hidden, positions)
    middles = hidden
    for number, layer in enumerate(language.layers, 1):
        hidden = layer(
            hidden, attention_mask=None, position_ids=positions, position_embeddings=rotary
        )
        middles = hidden if number == middle else middles
    return language.norm(hidden), middles
