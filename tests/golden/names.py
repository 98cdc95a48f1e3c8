"""The only names of Voxgate that the golden tests import: rename them here."""

from __future__ import annotations

from voxgate.engine import protocol
from voxgate.errors import BusyError, EngineError, SettingsError, VoxgateError
from voxgate.settings import Settings
from voxgate.transcript import values
from voxgate.voxtral.kernels import dispatch, onednn
from voxgate.voxtral.quantization import int8

EVENTS = {
    "delta": values.Delta,
    "done": values.Done,
    "notice": values.Notice,
    "progress": values.Progress,
    "segment": values.Segment,
    "word": values.Word,
    "failure": protocol.Failure,
    "health": protocol.Health,
    "options": values.Options,
}
encode_line = protocol.encode
decode_line = protocol.decode
encode_options = protocol.encode_options
decode_options = protocol.decode_options
decode_health = protocol.Health.decode

read_settings = Settings.read


def engine_died(sentence: str) -> VoxgateError:
    """Return the error of an engine that ended during a window."""
    return EngineError(sentence, code="engine_died")


def model_loading(sentence: str, retry_after_s: int) -> VoxgateError:
    """Return the error of a model that is being loaded."""
    return BusyError(sentence, retry_after_s, code="model_loading")


def int8_form() -> str:
    """Name how 8-bit weights lie in the weight cache on this machine."""
    return int8.int8_format()


def int4_form() -> str | int:
    """Name how 4-bit weights lie in the weight cache on this machine."""
    return dispatch.int4_format() or onednn.int4_block_rows()


__all__ = [
    "EVENTS", "SettingsError", "VoxgateError",
    "decode_health", "decode_line", "decode_options", "encode_line", "encode_options",
    "engine_died", "int4_form", "int8_form", "model_loading", "read_settings",
]  # fmt: skip
