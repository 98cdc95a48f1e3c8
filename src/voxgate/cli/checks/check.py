"""`Check`: one finding of `voxgate doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. A problem keeps recordings from being transcribed; a note does not."""

    name: str
    state: Literal["ok", "note", "problem"]
    found: str
    mend: str = ""  # the command or setting that mends it
