"""Bytes, as people read them."""

from __future__ import annotations


def shown(nbytes: int) -> str:
    """In the unit that leaves one to four digits before the point: `9.4 GiB`, `12 B`."""
    amount, units = float(nbytes), ["B", "KiB", "MiB", "GiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{nbytes} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"
