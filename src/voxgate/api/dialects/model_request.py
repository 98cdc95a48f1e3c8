"""`ModelRequest`: what every request says of the model that it asks, in canonical values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from voxgate.errors import UsageError
from voxgate.models.capabilities import unused_option_notice
from voxgate.routing.preferences import Preferences
from voxgate.transcript.values import Notice, Options

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from voxgate.models.capabilities import Capabilities
    from voxgate.pipeline.budget import AcceptedOptions

MAX_HINTS = 20  # unused fields that warnings name; the others are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest(ABC):
    """A request for a transcript or an answer.

    Before `fitted`, `options` may contain options that the model cannot fulfil.
    """

    model: str
    options: Options = field(default_factory=Options)
    unused: tuple[str, ...] = ()  # names of the fields that have no effect
    preferences: Preferences = field(default_factory=Preferences)
    session_id: str | None = None
    user: str | None = None

    @property
    @abstractmethod
    def streamed(self) -> bool:
        """Whether the caller reads the result while it is made."""

    @abstractmethod
    def fitted(self, capabilities: Capabilities) -> Self:
        """Return the request with the options that its model honours; the others are `unused`.

        Raises `UsageError` for what the model must fulfil and cannot, and for the first unused
        field where the caller requires all.
        """

    @property
    def hints(self) -> tuple[Notice, ...]:
        """The notices about what has no effect, of which the first are named."""
        notices = list(self._hints())
        if more := len(notices[MAX_HINTS:]):
            del notices[MAX_HINTS:]
            notices.append(Notice("unused_option", f"{more} more fields were not used either."))
        return tuple(notices)

    def _hints(self) -> tuple[Notice, ...]:
        return tuple(unused_option_notice(self.model, name) for name in self.unused)

    def honoured(self, accepted: AcceptedOptions, spelled: Mapping[str, tuple[str, ...]]) -> Self:
        """Return the request with the options that a model honours.

        `spelled` has the fields in which the caller gave an option, where they have another name.
        Raises `UsageError` (`unsupported_option`) for the first unused field, where the caller
        requires all.
        """
        unused = [name for option in accepted.unused for name in spelled.get(option, (option,))]
        fitted = replace(self, options=accepted.options, unused=(*unused, *self.unused))
        if self.preferences.require_parameters and (hints := fitted._hints()):  # noqa: SLF001
            raise UsageError(
                f"{hints[0].sentence} You asked for no less (require_parameters).",
                code="unsupported_option",
            )
        return fitted
