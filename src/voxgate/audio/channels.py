"""`SoundChoice`: the sound track that is transcribed, and whether its channels are mixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from voxgate.errors import UsageError
from voxgate.transcript.language import parse_language
from voxgate.transcript.turns import check_names

if TYPE_CHECKING:
    from voxgate.transcript.values import Options

Channels: TypeAlias = Literal["mix", "split"]
"""All channels as one sound, or each by itself: the parties of a call."""

CHANNELS: tuple[Channels, ...] = get_args(Channels)


@dataclass(frozen=True, slots=True)
class SoundChoice:
    """Which of a recording's sounds are transcribed.

    Raises `UsageError` for an invalid value.
    """

    track: str | None = None  # the number of a sound track, from 1, or its language
    channels: Channels = "mix"
    channel_names: tuple[str, ...] = ()  # of split channels, in their order

    @property
    def split(self) -> bool:
        """Whether each channel is recognised by itself."""
        return self.channels == "split"

    @property
    def track_key(self) -> str | None:
        """The number of the track, or the code of its language."""
        if self.track is None or self.track.strip().isdecimal():
            return self.track and self.track.strip()
        return parse_language(self.track)

    def check(self, options: Options) -> None:
        """Raise `UsageError` (`unsupported_option`) for an option that split texts cannot have."""
        if self.split and (options.max_tokens or options.stop):
            raise UsageError(
                "'max_tokens' and 'stop' end one text, and split channels have a text each. Leave "
                "them out, or have the channels mixed.",
                code="unsupported_option",
            )

    def __post_init__(self) -> None:
        if self.channels not in CHANNELS:
            raise UsageError(
                f"'channels' is '{self.channels[:60]}', but must be one of: {', '.join(CHANNELS)}."
            )
        if self.channel_names and not self.split:
            raise UsageError(
                "'channel_names' names the channels that are recognised one by one. Set 'channels' "
                "to split, or leave the names out."
            )
        check_names(self.channel_names)
        if self.track is not None and not self.track.strip():
            raise UsageError("'track' is empty: name the number of a sound track, or its language.")
