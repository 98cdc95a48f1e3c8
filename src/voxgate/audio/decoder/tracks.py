"""Which sound track of a container is read, by its number, its language or its flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av.stream
from langcodes import standardize_tag
from langcodes.tag_parser import LanguageTagError

from voxgate.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.audio.stream import AudioStream

UNKNOWN = "und"  # the language of a track that states none
TITLE_CHARACTERS = 60


def choose_track(
    tracks: Sequence[AudioStream], name: str, track: str | None, language: str | None
) -> AudioStream:
    """Return the track that is asked for, of the one or more that can be decoded.

    `track` is a number from 1, or the language that a track states; of several tracks in it the one
    flagged as default is taken. An only track that states none is in any language. Without `track`:
    the one flagged as default, else the one in the language of the speech, else the first. Raises
    `AudioError` (`no_sound_track`).
    """
    defaults = [each for each in tracks if each.disposition & av.stream.Disposition.default]
    if track is None:
        spoken = [each for each in tracks if language and track_language(each) == language]
        if len(defaults) == 1:
            return defaults[0]
        return next(iter([*_among(spoken, defaults), *spoken, *defaults]), tracks[0])
    if track.isdecimal():
        if 1 <= int(track) <= len(tracks):
            return tracks[int(track) - 1]
        raise _no_such_track(tracks, name, f"no track {track}")
    if is_unlabelled(tracks, track):
        return tracks[0]
    wanted = _language(track)
    found = [each for each in tracks if track_language(each) == wanted]
    if not found or (wanted == UNKNOWN and track != UNKNOWN):
        raise _no_such_track(tracks, name, f"no track in '{track[:TITLE_CHARACTERS]}'")
    return (_among(found, defaults) or found)[0]


def is_unlabelled(tracks: Sequence[AudioStream], track: str) -> bool:
    """Return whether `track` is a language, and the only track states none."""
    languages = [track_language(each) for each in tracks]
    return not track.isdecimal() and _language(track) != UNKNOWN and languages == [UNKNOWN]


def describe_tracks(tracks: Sequence[AudioStream]) -> str:
    """Return the tracks' numbers, with their languages and titles: `1 (en, Stereo), 2 (de)`."""
    return ", ".join(_description(number, each) for number, each in enumerate(tracks, 1))


def track_language(track: AudioStream) -> str:
    """Return the code of the language that a track states, e.g. `de` for `ger`; `und` without."""
    return _language(track.metadata.get("language", UNKNOWN))


def _language(tag: str) -> str:
    try:
        return standardize_tag(tag, macro=True).partition("-")[0]
    except LanguageTagError:
        return UNKNOWN


def _among(some: Sequence[AudioStream], others: Sequence[AudioStream]) -> list[AudioStream]:
    return [each for each in some if each in others]


def _description(number: int, track: AudioStream) -> str:
    language = track_language(track)
    title = " ".join(track.metadata.get("title", "").split())[:TITLE_CHARACTERS]
    facts = ", ".join(fact for fact in ("" if language == UNKNOWN else language, title) if fact)
    return f"{number} ({facts})" if facts else str(number)


def _no_such_track(tracks: Sequence[AudioStream], name: str, what: str) -> AudioError:
    return AudioError(
        f"{name} has {what}. Its sound tracks are: {describe_tracks(tracks)}.",
        code="no_sound_track",
    )
