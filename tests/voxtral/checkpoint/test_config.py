"""Both spellings of both layouts' configurations, and what is refused instead of passed over."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.voxtral import checkpoints
from voxgate.errors import CheckpointError
from voxgate.voxtral.checkpoint.config import DecoderConfig, EncoderConfig, VoxtralConfig

Change = Callable[[dict[str, Any]], object]

ENCODER = EncoderConfig(mels=128, width=64, layers=2, heads=4, ffn_width=256)


def decoder(context: int) -> DecoderConfig:
    return DecoderConfig(
        width=96, layers=2, heads=4, kv_heads=2, head_dim=32, ffn_width=160, vocabulary=4096,
        context=context, rope_theta=1e8, norm_eps=1e-5,
    )  # fmt: skip


@pytest.fixture
def hf_config(hf: Path) -> dict[str, Any]:
    """As transformers 5 writes it."""
    config: dict[str, Any] = json.loads((hf / "config.json").read_text("utf-8"))
    assert "rope_parameters" in config["text_config"]
    assert "dtype" in config
    return config


@pytest.fixture
def params(mistral: Path) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((mistral / "params.json").read_text("utf-8"))
    return table


def test_the_newer_spelling(hf_config: dict[str, Any]) -> None:
    config = VoxtralConfig.from_hf(hf_config)
    assert (config.encoder, config.decoder) == (ENCODER, decoder(131_072))
    assert config.audio_token == 24


def test_the_spelling_of_the_published_checkpoints(hf_config: dict[str, Any]) -> None:
    checkpoints.spell_as_before(hf_config)
    assert "rope_parameters" not in hf_config["text_config"]
    config = VoxtralConfig.from_hf(hf_config)
    assert (config.encoder, config.decoder) == (ENCODER, decoder(131_072))


def test_params_json(params: dict[str, Any]) -> None:
    config = VoxtralConfig.from_mistral(params)
    assert (config.encoder, config.decoder) == (ENCODER, decoder(32_768))
    assert config.audio_token == 24


@pytest.mark.parametrize("theta", [1e4, 500_000])
def test_the_angle_is_read_in_every_spelling(
    hf_config: dict[str, Any], params: dict[str, Any], theta: float
) -> None:
    hf_config["text_config"]["rope_parameters"]["rope_theta"] = theta
    assert VoxtralConfig.from_hf(hf_config).decoder.rope_theta == theta
    checkpoints.spell_as_before(hf_config)
    assert VoxtralConfig.from_hf(hf_config).decoder.rope_theta == theta
    assert VoxtralConfig.from_mistral(params | {"rope_theta": theta}).decoder.rope_theta == theta


@pytest.mark.parametrize("window", [None, "None"])
def test_no_sliding_window_may_be_said_in_words(params: dict[str, Any], window: object) -> None:
    params |= {"sliding_window": window}
    assert VoxtralConfig.from_mistral(params).decoder == decoder(32_768)


def text(**changes: Any) -> Change:
    return lambda config: config["text_config"].update(changes)


def audio(**changes: Any) -> Change:
    return lambda config: config["audio_config"].update(changes)


def top(**changes: Any) -> Change:
    return lambda config: config.update(changes)


def encoder_args(**changes: Any) -> Change:
    def change(params: dict[str, Any]) -> None:
        params["multimodal"]["whisper_model_args"]["encoder_args"].update(changes)

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (top(model_type="voxtral_realtime"), "voxtral_realtime"),
        (top(model_type="whisper"), "whisper"),
        (top(model_type=None), "model_type"),
        (top(quantization_config={"bits": 4}), "quantized"),
        (top(audio_config=None), "audio_config"),
        (top(text_config=[]), "text_config"),
        (top(projector_hidden_act="silu"), "projector_hidden_act"),
        (top(audio_token_id=4096), "4096"),
        (audio(max_source_positions=750), "max_source_positions"),
        (audio(intermediate_size=128), "intermediate_size"),
        (audio(activation_function="relu"), "activation_function"),
        (audio(num_attention_heads=3), "heads"),
        (audio(num_hidden_layers=0), "layers"),
        (audio(num_hidden_layers=513), "layers"),
        (text(hidden_act="gelu"), "hidden_act"),
        (text(num_key_value_heads=3), "key-value heads"),
        (text(head_dim=33), "heads"),
        (text(hidden_size=-96), "-96"),
        (text(hidden_size=True), "hidden_size"),
        (text(hidden_size=96.0), "hidden_size"),
        (text(vocab_size=2**40), "vocabulary"),
        (text(rms_norm_eps="small"), "rms_norm_eps"),
        (text(rms_norm_eps=float("nan")), "norm_eps"),
        (text(rope_parameters={"rope_type": "default"}), "rope_theta"),
        (text(rope_parameters={"rope_type": "yarn", "rope_theta": 1e8}), "yarn"),
    ],
)
def test_what_would_be_computed_otherwise_is_refused(
    hf_config: dict[str, Any], change: Change, named: str
) -> None:
    change(hf_config)
    with pytest.raises(CheckpointError, match=named):
        VoxtralConfig.from_hf(hf_config)


@pytest.mark.parametrize("kind", ["type", "rope_type"])
def test_scaled_angles_are_refused_in_the_older_spelling(
    hf_config: dict[str, Any], kind: str
) -> None:
    checkpoints.spell_as_before(hf_config)
    hf_config["text_config"]["rope_scaling"] = {kind: "linear", "factor": 2.0}
    with pytest.raises(CheckpointError, match="linear"):
        VoxtralConfig.from_hf(hf_config)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (top(causal=True), "Realtime"),
        (encoder_args(causal=True), "Realtime"),
        (top(quantization={"qformat_weight": "fp8_e4m3"}), "quantized"),
        (top(sliding_window=8192), "sliding_window"),
        (top(multimodal=None), "multimodal"),
        (encoder_args(max_source_positions=3000), "max_source_positions"),
        (encoder_args(dim=None), "dim"),
        (top(n_kv_heads=0), "kv_heads"),
        (top(rope_theta=None), "rope_theta"),
    ],
)
def test_params_that_would_be_computed_otherwise_are_refused(
    params: dict[str, Any], change: Change, named: str
) -> None:
    change(params)
    with pytest.raises(CheckpointError, match=named):
        VoxtralConfig.from_mistral(params)
