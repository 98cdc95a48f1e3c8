"""`Check`: one finding of `voxgate doctor`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. A problem prevents transcription; a note does not."""

    name: str
    state: Literal["ok", "note", "problem"]
    found: str
    mend: str = ""  # the command or setting that fixes it
