"""The arguments of `voxgate transcribe` with other programs' options, as our own."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.audio.file_kinds import MEDIA_SUFFIXES
from voxgate.cli.peer_options import (
    BOOLEANS,
    PEER_OPTIONS,
    WHISPER_CPP_OPTIONS,
    Always,
    Refused,
    Renamed,
    Setting,
    Unneeded,
)
from voxgate.cli.streams import print_message
from voxgate.errors import UsageError
from voxgate.transcript.formats import WRITERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, MutableMapping, Sequence

    from voxgate.cli.peer_options import PeerOption

FORMAT_OPTIONS = ("-f", "--format")


def translate_options(
    arguments: Sequence[str],
    warn: Callable[[str], None] = print_message,
    environ: MutableMapping[str, str] = os.environ,
) -> list[str]:
    """Return the arguments of `voxgate transcribe` with other programs' options as our own.

    Arguments of other commands are returned as they are. `warn` gets a sentence for each option
    that has no effect. An option that is a setting here is set in `environ`. Raises `UsageError`,
    which names all options that cannot be taken.
    """
    if "transcribe" not in arguments:
        return list(arguments)
    at = arguments.index("transcribe") + 1
    return [*arguments[:at], *_Translation(arguments[at:], warn, environ).own_arguments()]


class _Translation:
    """The translation of one call's arguments, from the first to the last."""

    def __init__(
        self,
        arguments: Sequence[str],
        warn: Callable[[str], None],
        environ: MutableMapping[str, str],
    ) -> None:
        self._rest, self._warn, self._environ = list(arguments), warn, environ
        self._refused: dict[str, list[str]] = {}  # what to do instead -> the options
        self._wants_words = False

    def own_arguments(self) -> list[str]:
        """Return our own arguments. Raises `UsageError`."""
        own = list(self._translated())
        if self._refused:
            raise UsageError(" ".join(map(_refusal, self._refused.values(), self._refused)))
        if self._wants_words and (lacking := _without_words(own)):
            has = "has" if len(lacking) == 1 else "have"
            self._warn(
                f"warning: --word_timestamps: {' and '.join(lacking)} {has} no times of words; "
                f"-f verbose_json has them."
            )
        return own

    def _translated(self) -> Iterator[str]:
        while self._rest:
            argument = self._rest.pop(0)
            if argument == "--":
                yield from (argument, *self._rest)
                return
            typed, equals, value = argument.partition("=")
            peer = _find(typed)
            if peer is None:
                if argument in FORMAT_OPTIONS and self._rest and _is_recording(self._rest[0]):
                    instead = "-f is the format of the transcript: name the recording without it."
                    self._refuse(f"{argument} {self._rest[0]}", instead)
                yield argument
            elif isinstance(peer, Renamed):
                yield f"{peer.option}{equals}{value}"
            elif isinstance(peer, Refused):
                self._refuse(typed, peer.instead)
            else:
                self._settle(peer, typed, value if equals else self._take_value(peer))

    def _settle(self, peer: Always | Setting | Unneeded, typed: str, value: str) -> None:
        """Drop an option whose value happens anyway, set a setting, or refuse the value."""
        if isinstance(peer, Unneeded):
            self._warn(f"warning: {typed} has no effect: {peer.reason}.")
        elif isinstance(peer, Setting):
            if value in peer.values:
                self._environ[peer.variable] = peer.values[value]
            else:
                self._refuse(f"{typed} {value}", peer.otherwise)
        elif not peer.happens(value):
            self._refuse(f"{typed} {value}", peer.otherwise)
        elif _name(typed) == "--word_timestamps":
            self._wants_words = True

    def _take_value(self, peer: Always | Setting | Unneeded) -> str:
        """Remove and return the value at the beginning; "true" for a flag without one."""
        is_flag = not isinstance(peer, Setting) and peer.is_flag
        if is_flag and not (self._rest and self._rest[0].lower() in BOOLEANS):
            return "true"
        return self._rest.pop(0) if self._rest else ""

    def _refuse(self, typed: str, instead: str) -> None:
        self._refused.setdefault(instead, []).append(typed.strip())


def _find(typed: str) -> PeerOption | None:
    named = PEER_OPTIONS.get(_name(typed)) if typed.startswith("--") else None
    return named or WHISPER_CPP_OPTIONS.get(typed)


def _name(typed: str) -> str:
    return "--" + typed[2:].replace("-", "_")


def _refusal(options: Sequence[str], instead: str) -> str:
    *others, last = options
    if others:
        instead = instead.replace("Leave it out", "Leave them out")
        last = f"{', '.join(others)} and {last}"
    return f"Voxgate has no {last}. {instead}"


def _is_recording(value: str) -> bool:
    return Path(value).suffix.lower() in MEDIA_SUFFIXES


def _without_words(own: Sequence[str]) -> list[str]:
    """Return the formats of our own arguments that have no times of words, if all lack them."""
    lists = [value for option, value in pairwise(own) if option in FORMAT_OPTIONS]
    lists += [each.partition("=")[2] for each in own if each.startswith("--format=")]
    names = [name.strip().lower() for each in lists or ["txt"] for name in each.split(",")]
    if "all" in names or "verbose_json" in names:
        return []
    return [name for name in names if name in WRITERS and not WRITERS[name].has_words]
