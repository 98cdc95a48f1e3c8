"""The options of a call as its sentences name them: `track` of a request is `--track` here."""

from __future__ import annotations

import re

OPTIONS = {
    name: f"--{name.replace('_', '-')}"
    for name in (
        *(
            "track",
            "channels",
            "channel_names",
            "language",
            "task",
            "prompt",
            "beam_size",
            "temperature",
            "top_p",
        ),
        *("seed", "max_tokens", "stop", "frequency_penalty", "presence_penalty"),
    )
} | {"vocabulary": "--keyterm"}
"""What the fields of a request, and of `Options`, are called on the command line."""

_QUOTED = re.compile(rf"(['`])({'|'.join(OPTIONS)})\1")


def with_own_options(sentence: str) -> str:
    """Return a sentence that names options as the command line does.

    Errors and notices are the same for the server, whose callers send fields.
    """
    return _QUOTED.sub(lambda found: f"{found[1]}{OPTIONS[found[2]]}{found[1]}", sentence)
