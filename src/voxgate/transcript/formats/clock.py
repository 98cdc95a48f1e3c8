"""Times of day as subtitle formats write them."""

from __future__ import annotations


def format_timestamp(seconds: float, point: str) -> str:
    """`HH:MM:SS` and milliseconds behind the `point`. Hours above 99 take more digits.

    Rounded once, as a whole: no second ever has 1000 ms, and times in order stay in order.
    """
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return (
        f"{minutes // 60:02}:{minutes % 60:02}"
        f":{milliseconds // 1000:02}{point}{milliseconds % 1000:03}"
    )
