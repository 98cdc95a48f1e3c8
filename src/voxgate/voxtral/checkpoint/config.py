"""The shape of a model, read from either layout's configuration. Imports no torch.

Sources: transformers' `VoxtralConfig` (`config.json`) and Mistral's `params.json`. Only the values
that decide the computation are kept. A value that this package cannot compute raises an error; it
is never ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from voxgate.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Mapping

ENCODER_POSITIONS = 1500  # encoder frames of one 30 s chunk
FRAMES_PER_TOKEN = 4  # consecutive encoder frames that make one audio embedding
AUDIO_TOKEN = 24  # [AUDIO], in every published vocabulary
MAX_DIMENSION = 2**20  # limit of every width and count, against nonsense in a file
MAX_LAYERS = 512  # limit of layers: each takes time before missing weights are noticed


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The audio encoder, in the shape of Whisper large-v3."""

    mels: int
    width: int
    layers: int
    heads: int
    ffn_width: int


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """The language model, in the shape of Llama. `heads * head_dim` may differ from `width`."""

    width: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn_width: int
    vocabulary: int
    context: int  # maximum number of positions
    rope_theta: float
    norm_eps: float


@dataclass(frozen=True, slots=True)
class VoxtralConfig:
    """Encoder and decoder. The projector between them has no dimensions of its own."""

    encoder: EncoderConfig
    decoder: DecoderConfig
    audio_token: int = AUDIO_TOKEN
    own_head: bool = False  # the file says that the output head is not the embeddings

    def __post_init__(self) -> None:
        for part in (self.encoder, self.decoder):
            for field in fields(part):
                value = getattr(part, field.name)
                limit = MAX_LAYERS if field.name == "layers" else MAX_DIMENSION
                if not 0 < value <= (limit if field.type == "int" else 1e12):
                    raise CheckpointError(f"its '{field.name}' is {value}, which is out of range")
        encoder, decoder = self.encoder, self.decoder
        if encoder.width % (2 * encoder.heads) or decoder.head_dim % 2:
            raise CheckpointError("its attention heads do not divide its width into even parts")
        if decoder.heads % decoder.kv_heads:
            raise CheckpointError(
                f"its {decoder.heads} heads cannot share {decoder.kv_heads} key-value heads"
            )
        if not 0 <= self.audio_token < decoder.vocabulary:
            raise CheckpointError(f"its audio token {self.audio_token} is not in its vocabulary")

    @classmethod
    def from_hf(cls, config: Mapping[str, Any]) -> VoxtralConfig:
        """Read a `config.json`, of the 2507 checkpoints or as transformers 5 writes it.

        Raises `CheckpointError` with half a sentence that says what is wrong with the file.
        """
        kind = config.get("model_type")
        if kind != "voxtral":
            raise CheckpointError(f"its model_type is '{kind}', and only 'voxtral' is supported")
        _check_not_quantized(config.get("quantization_config"))
        audio, text = _table(config, "audio_config"), _table(config, "text_config")
        _expect(audio, "max_source_positions", ENCODER_POSITIONS)
        _expect(audio, "activation_function", "gelu")
        _expect(text, "hidden_act", "silu")
        _expect(config, "projector_hidden_act", "gelu")
        width = _int(audio, "hidden_size")
        _expect(audio, "intermediate_size", FRAMES_PER_TOKEN * width)
        # transformers 5 moved the angle into a table, together with its type.
        rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
        _expect(rope, "rope_type", "default")
        _expect(rope, "type", "default")  # the older name
        return cls(
            encoder=EncoderConfig(
                mels=_int(audio, "num_mel_bins"),
                width=width,
                layers=_int(audio, "num_hidden_layers"),
                heads=_int(audio, "num_attention_heads"),
                ffn_width=_int(audio, "intermediate_size"),
            ),
            decoder=DecoderConfig(
                width=_int(text, "hidden_size"),
                layers=_int(text, "num_hidden_layers"),
                heads=_int(text, "num_attention_heads"),
                kv_heads=_int(text, "num_key_value_heads"),
                head_dim=_int(text, "head_dim"),
                ffn_width=_int(text, "intermediate_size"),
                vocabulary=_int(text, "vocab_size"),
                context=_int(text, "max_position_embeddings"),
                rope_theta=_number(rope if "rope_theta" in rope else text, "rope_theta"),
                norm_eps=_number(text, "rms_norm_eps"),
            ),
            audio_token=_int(config, "audio_token_id", AUDIO_TOKEN),
            own_head=text.get("tie_word_embeddings", config.get("tie_word_embeddings")) is False,
        )

    @classmethod
    def from_mistral(cls, params: Mapping[str, Any]) -> VoxtralConfig:
        """Read a `params.json`. Raises `CheckpointError`, as `from_hf` does."""
        whisper = _table(_table(params, "multimodal"), "whisper_model_args")
        audio = _table(whisper, "encoder_args")
        if params.get("causal") or audio.get("causal"):
            raise CheckpointError("it is a Realtime model, which is not supported")
        _check_not_quantized(params.get("quantization"))
        if params.get("sliding_window") not in (None, "None", "null", ""):
            raise CheckpointError("its 'sliding_window' is set, and no Mini or Small has one")
        _expect(audio, "max_source_positions", ENCODER_POSITIONS)
        downsampling = _table(whisper, "downsample_args")
        _expect(downsampling, "downsample_factor", FRAMES_PER_TOKEN)
        return cls(
            encoder=EncoderConfig(
                mels=_int(_table(audio, "audio_encoding_args"), "num_mel_bins"),
                width=_int(audio, "dim"),
                layers=_int(audio, "n_layers"),
                heads=_int(audio, "n_heads"),
                ffn_width=_int(audio, "hidden_dim"),
            ),
            decoder=DecoderConfig(
                width=_int(params, "dim"),
                layers=_int(params, "n_layers"),
                heads=_int(params, "n_heads"),
                kv_heads=_int(params, "n_kv_heads"),
                head_dim=_int(params, "head_dim"),
                ffn_width=_int(params, "hidden_dim"),
                vocabulary=_int(params, "vocab_size"),
                context=_int(params, "max_seq_len", 131_072),
                rope_theta=_number(params, "rope_theta"),
                norm_eps=_number(params, "norm_eps"),
            ),
            own_head=params.get("tied_embeddings") is False,
        )


def _table(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = config.get(name)
    if not isinstance(value, dict):
        raise CheckpointError(f"it has no table '{name}'")
    return value


def _int(config: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = default if config.get(name) is None else config[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise CheckpointError(f"its '{name}' is {value!r} instead of a whole number")
    return value


def _number(config: Mapping[str, Any], name: str) -> float:
    value = config.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CheckpointError(f"its '{name}' is {value!r} instead of a number")
    return float(value)


def _expect(config: Mapping[str, Any], name: str, supported: object) -> None:
    """Raise `CheckpointError` unless a value is the supported one or missing."""
    if (value := config.get(name)) not in (None, supported):
        raise CheckpointError(f"its '{name}' is {value!r}, and only {supported!r} is supported")


def _check_not_quantized(table: object) -> None:
    if table:
        raise CheckpointError("its weights are quantized; get the checkpoint in bf16")
