"""open-asr-server with a scripted engine, run by the Python of its own environment.

    python open_asr.py PORT DELAY_S READS

With READS 1 the engine reads the sound and looks for speech in it before it answers, as
faster-whisper does before its model; with 0 it only waits.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import uvicorn
from faster_whisper.audio import decode_audio
from faster_whisper.vad import get_speech_timestamps
from open_asr_server import create_app
from open_asr_server.backends import BackendDescriptor, register_backend
from open_asr_server.backends.base import TranscriptionResult

if TYPE_CHECKING:
    from pathlib import Path

PORT, DELAY_S, READS = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3] == "1"
RATE = 16_000


class Scripted:
    supported_languages = None

    def transcribe(
        self,
        audio_path: Path,
        language: str | None = None,
        temperature: float = 0.0,  # noqa: ARG002 (its protocol)
        word_timestamps: bool = False,  # noqa: ARG002, FBT
    ) -> TranscriptionResult:
        seconds = 0.0
        if READS:
            sound = decode_audio(str(audio_path))
            get_speech_timestamps(sound)
            seconds = len(sound) / RATE
        time.sleep(DELAY_S)
        return TranscriptionResult("The words.", language or "en", seconds)


register_backend(
    BackendDescriptor(
        id="scripted", display_name="Scripted", model_patterns=["scripted"], device_types=["cpu"]
    ),
    lambda _: Scripted(),
)

if __name__ == "__main__":
    # A thread for each caller: by default six on two cores, and they only wait.
    os.environ["OPEN_ASR_SERVER_TRANSCRIBE_WORKERS"] = "64"
    uvicorn.run(create_app(), host="127.0.0.1", port=PORT, log_level="error", access_log=False)
