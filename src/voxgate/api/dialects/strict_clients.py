"""What single clients insist on beyond their dialect, told apart by the header `User-Agent`.

Each refuses a whole response for a key that it misses. For all other clients what is unknown is
left out.
"""

from __future__ import annotations

from typing import Any, Final

MEASURES: Final = {
    "avg_logprob": 0.0,
    "compression_ratio": 1.0,
    "no_speech_prob": 0.0,
}
"""Whisper's measures of a segment of which nothing is known: those of a text without a doubt."""


def needs_language(user_agent: str) -> bool:
    """Return whether `language` must be there, null where it is unknown: Mistral's own clients."""
    return user_agent.startswith("mistral-client-")


def needs_measures(user_agent: str) -> bool:
    """Return whether each segment must have all of Whisper's measures: Vercel's AI SDK.

    It names itself in the same way for each of its providers, here OpenAI's and Mistral's.
    """
    return _is_ai_sdk(user_agent)


def mistral_error(user_agent: str, status: int, sentence: str, kind: str) -> dict[str, Any]:
    """Return an error in the shape of Mistral's API, for the AI SDK, which reads no other there."""
    if not _is_ai_sdk(user_agent):
        return {}
    return {
        "object": "error",
        "message": sentence,
        "type": kind,
        "param": None,
        "code": str(status),
    }


def _is_ai_sdk(user_agent: str) -> bool:
    return user_agent.startswith("ai/")
