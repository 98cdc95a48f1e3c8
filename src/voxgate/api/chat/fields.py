"""The fields of a request for an answer: what each is here.

`docs/fields.md` is written from this table, and requests are parsed by it. What is not in it is
never refused, and named in a warning.
"""

from __future__ import annotations

from typing import Final

from voxgate.api.dialects.fields import ALL, FIELDS, Field

_ROUTING: Final = tuple(
    each
    for each in FIELDS
    if (each.name.startswith("provider.") and not each.name.startswith("provider.options"))
    or each.name in {"models", "session_id", "user"}
)
"""What is the same for a transcript."""

CHAT_FIELDS: Final = (
    Field(
        "model",
        ALL,
        "promise",
        "A model that answers, by its name, or an alias.",
        default="required",
    ),
    Field(
        "messages",
        ALL,
        "promise",
        "Texts and recordings (`input_audio`, `file`); the last one is the user's.",
        default="required",
    ),
    Field(
        "response_format",
        ALL,
        "promise",
        "`text`, `json_object`, or `json_schema` with the schema of the answer.",
        default="`text`",
    ),
    Field(
        "structured_outputs",
        ("OpenRouter",),
        "promise",
        '`true`, or the schema of the answer as vLLM has it: `{"json": ...}`.',
        default="`false`",
    ),
    Field("stream", ALL, "promise", "Events, while the answer is written.", default="`false`"),
    Field(
        "stream_options.include_usage",
        ("OpenAI", "OpenRouter"),
        "promise",
        "The usage in an event of its own.",
        default="it is in the last one with text",
    ),
    Field(
        "temperature",
        ALL,
        "hint",
        "0 to 2; another number is refused.",
        "temperature",
        default="`0`",
    ),
    Field("top_p", ALL, "hint", "0 to 1; another number is refused.", "top_p", default="`1`"),
    Field(
        "seed", ("OpenAI", "OpenRouter"), "hint", "The same answer again.", "seed", default="none"
    ),
    Field("random_seed", ("Mistral",), "hint", "The same as `seed`.", "seed", default="none"),
    Field("max_tokens", ALL, "promise", "The answer ends there.", "max_tokens", default="4096"),
    Field(
        "max_completion_tokens",
        ("OpenAI", "OpenRouter"),
        "promise",
        "The same as `max_tokens`.",
        "max_tokens",
        default="4096",
    ),
    Field(
        "stop",
        ALL,
        "promise",
        "The answer ends before it: up to 16 texts of 1000 characters.",
        "stop",
        default="none",
    ),
    Field("frequency_penalty", ALL, "promise", "-2 to 2.", "frequency_penalty", default="`0`"),
    Field("presence_penalty", ALL, "promise", "-2 to 2.", "presence_penalty", default="`0`"),
    Field("n", ("OpenAI", "Mistral"), "promise", "1; more answers are refused.", default="`1`"),
    Field("tools", ALL, "promise", "Refused: no model here calls tools.", default="none"),
    Field("tool_choice", ALL, "promise", "`none`; else refused.", default="`none`"),
    Field("functions", ("OpenAI",), "promise", "Refused.", default="none"),
    Field("function_call", ("OpenAI",), "promise", "`none`; else refused.", default="`none`"),
    Field("logprobs", ALL, "promise", "Refused: no probabilities are given.", default="`false`"),
    Field("top_logprobs", ALL, "promise", "Refused.", default="`0`"),
    Field("prompt_logprobs", ("Mistral",), "promise", "Refused.", default="`false`"),
    Field(
        "modalities", ("OpenAI", "OpenRouter"), "promise", "`text`; else refused.", default="`text`"
    ),
    Field("audio", ("OpenAI",), "promise", "Refused: answers are texts.", default="none"),
    Field("prediction", ("OpenAI", "Mistral"), "promise", "Refused.", default="none"),
    Field("web_search_options", ("OpenAI",), "promise", "Refused.", default="none"),
    *(
        Field(f"guided_{name}", ("others",), "promise", "Refused: `structured_outputs` is read.")
        for name in ("json", "regex", "choice", "grammar")
    ),
    Field(
        "parallel_tool_calls",
        ("OpenAI", "Mistral"),
        "default",
        "Without tools it says nothing.",
        default="none",
    ),
    Field("store", ("OpenAI",), "hint", "Nothing is stored.", default="`false`"),
    Field("metadata", ("OpenAI", "Mistral"), "hint", "Not stored.", default="none"),
    *_ROUTING,
    Field("provider.options", ("OpenRouter",), "hint", "Has no effect.", default="none"),
    Field("hedge", ("others",), "hint", "Nobody answers beside another one.", default="`false`"),
)

CHAT_KEPT: Final = frozenset(field.name for field in CHAT_FIELDS if field.kind != "hint")
"""The fields that are fulfilled or refused: none of them is ever named as unused."""
