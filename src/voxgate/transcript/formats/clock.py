"""Timestamps of subtitle formats."""

from __future__ import annotations


def format_timestamp(seconds: float, point: str) -> str:
    """Return `HH:MM:SS`, the decimal `point` and milliseconds. Hours above 99 have more digits.

    The time is rounded once, as a whole. So no second has 1000 ms, and the order of times is kept.
    """
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return (
        f"{minutes // 60:02}:{minutes % 60:02}"
        f":{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
    )
