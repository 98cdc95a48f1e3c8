"""Expect failures by their code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voxgate.errors import VoxgateError

if TYPE_CHECKING:
    from voxgate.errors import Code


def raises(code: Code, match: str | None = None) -> pytest.RaisesExc[VoxgateError]:
    """Expect a `VoxgateError` with `code`, whose sentence matches the regular expression."""
    return pytest.raises(VoxgateError, match=match, check=lambda error: error.code == code)
