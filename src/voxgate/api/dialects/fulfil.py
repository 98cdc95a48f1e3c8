"""What is asked, held against what the model can do: each option is fulfilled, refused or told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.errors import OptionError

if TYPE_CHECKING:
    from voxgate.api.dialects.asked import Asked
    from voxgate.engine.capabilities import Capabilities


def fulfil(asked: Asked, capabilities: Capabilities) -> Asked:
    """The request with the options that its model honours, the others among `unused`.

    Raises `UnsupportedLanguageError` and `OptionError` for promises that the model cannot keep, and
    `OptionError` for the first unused field of a caller who insists.
    """
    capabilities.check(asked.model, asked.options)
    options, idle = capabilities.honoured(asked.options)
    fields = [n for name in idle for n in (asked.vocabulary if name == "vocabulary" else (name,))]
    fulfilled = replace(asked, options=options, unused=(*fields, *asked.unused))
    if asked.insists and fulfilled.unused:
        sentence = fulfilled.hints[0].sentence
        raise OptionError(f"{sentence} You asked for no less (require_parameters).")
    return fulfilled
