"""Make `voice-note.flac` and `voice-note.txt`: an ordinary voice note, spoken by a synthesiser.

Needs Debian's `flite` (apt install flite); run it from anywhere: python samples/make_voice_note.py.
The words were fixed before anything was recognised, and stay as they are whatever an engine makes
of them.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import av

WORDS = (
    "Hi, it's me. I am running late because the train stopped outside the city. Please start the "
    "meeting without me, and send me the notes when you are done. Thank you."
)
HERE = Path(__file__).parent


def main() -> None:
    """Speak the words with flite's voice `rms` and keep them as 16-bit FLAC."""
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder, "note.wav")
        subprocess.run(["flite", "-voice", "rms", "-t", WORDS, "-o", wav], check=True)  # noqa: S607
        to_flac(wav, HERE / "voice-note.flac")
    (HERE / "voice-note.txt").write_text(WORDS + "\n", encoding="utf-8")


def to_flac(wav: Path, flac: Path) -> None:
    """Encode without loss."""
    with av.open(wav) as source, av.open(flac, "w") as target:
        stream = target.add_stream("flac", rate=source.streams.audio[0].rate, layout="mono")
        resampler = av.AudioResampler(format="s16", layout="mono", frame_size=4096)
        for frame in [*source.decode(audio=0), None]:
            for piece in resampler.resample(frame):
                target.mux(stream.encode(piece))
        target.mux(stream.encode(None))


if __name__ == "__main__":
    main()
