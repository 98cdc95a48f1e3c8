"""Voxgate: speech to text on your own machines.

    import voxgate

    transcript = voxgate.transcribe("meeting.m4a")
    print(transcript.text)

Where an event loop runs, as in a notebook: `await voxgate.transcribe_async("meeting.m4a")`.

A name is loaded when it is first used, so `import voxgate` alone imports no large library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from voxgate._version import __version__

if TYPE_CHECKING:
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.errors import VoxgateError
    from voxgate.pipeline.blocking import transcribe, transcribe_async
    from voxgate.pipeline.session import Session
    from voxgate.settings import Settings
    from voxgate.transcript.values import Notice, Options, Segment, Transcript, Word

__all__ = [
    "Notice",
    "Options",
    "PcmDeclaration",
    "Segment",
    "Session",
    "Settings",
    "Transcript",
    "VoxgateError",
    "Word",
    "__version__",
    "transcribe",
    "transcribe_async",
]

_MODULES = {
    "voxgate.audio.pcm": ("PcmDeclaration",),
    "voxgate.errors": ("VoxgateError",),
    "voxgate.pipeline.blocking": ("transcribe", "transcribe_async"),
    "voxgate.pipeline.session": ("Session",),
    "voxgate.settings": ("Settings",),
    "voxgate.transcript.values": ("Notice", "Options", "Segment", "Transcript", "Word"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'voxgate' has no attribute '{name}'")
