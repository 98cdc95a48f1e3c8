"""`RecordingDecoders`: the base64 of a JSON body's recordings on its way into unnamed files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from voxgate.api.body.upload import Base64Decoder, UploadWriter

if TYPE_CHECKING:
    from voxgate.api.body.json_scanner import LongStringReader
    from voxgate.settings import Settings

D = TypeVar("D", bound=Base64Decoder)


class RecordingDecoders(Generic[D]):
    """The decoders of the recordings that nobody has taken yet. Close it in any case."""

    def __init__(self, settings: Settings, kind: type[D]) -> None:
        self._settings, self._kind = settings, kind
        self._decoders: list[D] = []

    @property
    def size(self) -> int:
        """Bytes of all of these recordings so far."""
        return sum(decoder.writer.size for decoder in self._decoders)

    def new(self) -> D:
        """Return a decoder of a further recording. Raises as `UploadWriter`."""
        self._decoders.append(self._kind(UploadWriter(self._settings)))
        return self._decoders[-1]

    def finished(self, text: str, long_string: LongStringReader | None) -> D:
        """Return the decoder of a recording that is whole: of `text`, or a long string's own."""
        if long_string is None:
            decoder = self.new()
            decoder.feed(text.encode())
            decoder.finish()
            return decoder
        base64 = long_string.base64
        assert isinstance(base64, self._kind)  # noqa: S101 (`new` makes no other)
        return base64

    def take(self, decoder: D) -> UploadWriter:
        """Return the file of a finished recording, which is the caller's from now on."""
        self._decoders.remove(decoder)
        return decoder.writer

    def close(self) -> None:
        """Delete the recordings that nobody took. May be called again."""
        for decoder in self._decoders:
            decoder.writer.close()
        self._decoders.clear()
