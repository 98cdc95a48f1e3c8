"""Another time for the ledger."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from voxgate.ledger import budgets, columns, generations, lifecycle, transcripts, usage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@contextmanager
def clock(moment: datetime) -> Iterator[None]:
    """Let the ledger believe that it is `moment`."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (budgets, columns, generations, lifecycle, transcripts, usage):
            patch.setattr(module, "utc_now", lambda: moment)
        yield
