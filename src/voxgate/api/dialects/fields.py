"""Every field of the three dialects: what it is here, and what a model must be able to do for it.

`docs/fields.md` is written from this table, and requests are parsed by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["promise", "hint", "default"]
"""A promise is fulfilled, or the request is a 400. A hint never fails one: without effect it is
named in a warning. A default is what happens anyway."""

Dialect: TypeAlias = Literal["OpenRouter", "OpenAI", "Mistral", "others"]
ALL: Final[tuple[Dialect, ...]] = ("OpenRouter", "OpenAI", "Mistral")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a request, with dots where it lies in objects."""

    name: str
    dialects: tuple[Dialect, ...]  # in whose documentation it is
    kind: Kind
    effect: str
    needs: str = ""  # of a model, as in its `voxgate` object or `supported_parameters`
    type: str = ""  # what JSON calls it; forms have texts. Of the three dialects alone, as the next
    default: str = ""  # what happens without it


FIELDS: Final = (
    Field(
        "model",
        ALL,
        "promise",
        "An installed model by its name, or an alias.",
        type="string",
        default="required",
    ),
    Field(
        "file",
        ALL,
        "promise",
        "The recording, in a form.",
        type="file",
        default="one recording is required",
    ),
    Field(
        "input_audio.data",
        ("OpenRouter",),
        "promise",
        "The recording, in base64.",
        type="base64",
        default="one recording is required",
    ),
    Field(
        "input_audio.format",
        ("OpenRouter",),
        "hint",
        "`pcm` is headerless.",
        type="string",
        default="the bytes are looked at",
    ),
    Field(
        "input_audio.url",
        ("OpenRouter",),
        "promise",
        "Fetched, where the operator allows it.",
        type="address",
        default="one recording is required",
    ),
    Field(
        "file_url",
        ("Mistral",),
        "promise",
        "Fetched, where the operator allows it.",
        type="address",
        default="one recording is required",
    ),
    Field(
        "file_id",
        ("Mistral",),
        "promise",
        "A kept file, where the operator allows it.",
        type="string",
        default="one recording is required",
    ),
    Field(
        "language",
        ALL,
        "promise",
        "The language spoken, by code or name.",
        "languages",
        type="string",
        default="the model detects it",
    ),
    Field(
        "languages",
        ("OpenAI",),
        "hint",
        "A single one is `language`.",
        type="list of strings",
        default="none",
    ),
    Field(
        "task",
        ("others",),
        "promise",
        "What the path says; the other one is refused.",
        type="string",
        default="the path says it",
    ),
    Field(
        "response_format",
        ALL,
        "promise",
        "`json`, `verbose_json`, `text`, `srt`, `vtt`; `diarized_json` needs speakers. An object "
        "of the type `json_schema` is `json` with data beside the text, by its schema: of a "
        "model that answers. `text` and `json_object` are `json`.",
        type="string or object",
        default="`json`",
    ),
    Field(
        "timestamp_granularities",
        ALL,
        "promise",
        "`word` adds words to `verbose_json`.",
        type="list of strings",
        default="segments alone",
    ),
    Field(
        "stream",
        ("OpenAI", "Mistral"),
        "promise",
        "Events, while the text is made.",
        type="boolean",
        default="`false`",
    ),
    Field(
        "temperature",
        ALL,
        "hint",
        "0 to 2; another number is refused.",
        "temperature",
        type="number",
        default="`0`",
    ),
    Field(
        "top_p",
        ("others",),
        "hint",
        "0 to 1; another number is refused.",
        "top_p",
        type="number",
        default="`1`",
    ),
    Field(
        "seed", ("others",), "hint", "The same text again.", "seed", type="integer", default="none"
    ),
    Field(
        "prompt",
        ("OpenAI",),
        "hint",
        "A text that could precede the recording.",
        "prompt",
        type="string",
        default="none",
    ),
    Field(
        "keyterms",
        ("OpenRouter",),
        "hint",
        "Words that are likely.",
        "vocabulary",
        type="list of strings",
        default="none",
    ),
    Field(
        "keywords",
        ("OpenAI",),
        "hint",
        "The same as `keyterms`.",
        "vocabulary",
        type="list of strings",
        default="none",
    ),
    Field(
        "context_bias",
        ("Mistral",),
        "hint",
        "The same as `keyterms`.",
        "vocabulary",
        type="list of strings",
        default="none",
    ),
    Field(
        "hotwords",
        ("others",),
        "hint",
        "The same as `keyterms`.",
        "vocabulary",
        type="list of strings",
        default="none",
    ),
    Field(
        "beam_size",
        ("others",),
        "promise",
        "How many texts are compared.",
        "beam_size",
        type="integer",
        default="the model's own",
    ),
    Field(
        "max_tokens",
        ("others",),
        "promise",
        "The whole text ends there.",
        "max_tokens",
        type="integer",
        default="no limit",
    ),
    Field(
        "stop",
        ("others",),
        "promise",
        "The whole text ends before it.",
        "stop",
        type="list of strings",
        default="none",
    ),
    Field(
        "frequency_penalty",
        ("others",),
        "promise",
        "-2 to 2.",
        "frequency_penalty",
        type="number",
        default="`0`",
    ),
    Field(
        "presence_penalty",
        ("others",),
        "promise",
        "-2 to 2.",
        "presence_penalty",
        type="number",
        default="`0`",
    ),
    Field(
        "include",
        ("OpenAI",),
        "promise",
        "Refused: no model gives its tokens' probabilities.",
        type="list of strings",
        default="none",
    ),
    Field(
        "structured_outputs",
        ("others",),
        "promise",
        '`{"json": ...}`: a schema of data beside the text of `json` or `verbose_json`. `true`: '
        "a model that could give it.",
        "answers",
        type="boolean or object",
        default="`false`",
    ),
    Field(
        "chunking_strategy",
        ("OpenAI",),
        "default",
        "`auto` and `server_vad`: speech is detected anyway; its numbers are hints without effect.",
        type="string or object",
        default="`auto`",
    ),
    Field(
        "diarize",
        ("OpenRouter", "Mistral"),
        "promise",
        "Who speaks.",
        "speakers",
        type="boolean",
        default="`false`",
    ),
    Field(
        "known_speaker_names",
        ("OpenAI",),
        "promise",
        "Names of speakers.",
        "speakers",
        type="list of strings",
        default="none",
    ),
    Field(
        "known_speaker_references",
        ("OpenAI",),
        "promise",
        "Their voices.",
        "speakers",
        type="list of strings",
        default="none",
    ),
    Field(
        "speaker_references",
        ("Mistral",),
        "promise",
        "Names and voices.",
        "speakers",
        type="list of objects",
        default="none",
    ),
    Field(
        "track",
        ("others",),
        "promise",
        "The sound track, by number or language.",
        type="integer or string",
        default="the main one",
    ),
    Field(
        "channels",
        ("others",),
        "promise",
        "`split`: each channel by itself.",
        type="string",
        default="`mix`",
    ),
    Field(
        "provider.options.local",
        ("OpenRouter",),
        "promise",
        "Fields of this table.",
        type="object",
        default="none",
    ),
    Field(
        "provider.options",
        ("OpenRouter",),
        "hint",
        "Those of other providers have no effect.",
        type="object",
        default="none",
    ),
    Field(
        "provider.order",
        ("OpenRouter",),
        "promise",
        "Endpoints that come first.",
        type="list of strings",
        default="none",
    ),
    Field(
        "provider.only",
        ("OpenRouter",),
        "promise",
        "All endpoints that may serve it.",
        type="list of strings",
        default="all",
    ),
    Field(
        "provider.ignore",
        ("OpenRouter",),
        "promise",
        "Endpoints that may not.",
        type="list of strings",
        default="none",
    ),
    Field(
        "provider.allow_fallbacks",
        ("OpenRouter",),
        "promise",
        "`false`: one endpoint alone.",
        type="boolean",
        default="`true`",
    ),
    Field(
        "provider.sort",
        ("OpenRouter",),
        "promise",
        "`price`, `throughput` or `latency`; `:floor` and `:nitro` after the model's name are the "
        "first two.",
        type="string",
        default="by health and price",
    ),
    Field(
        "provider.max_price",
        ("OpenRouter",),
        "promise",
        "Dollars: `audio` for a minute of sound, `request`, `completion` for a million tokens.",
        type="object",
        default="no limit",
    ),
    Field(
        "provider.quantizations",
        ("OpenRouter",),
        "promise",
        "Precisions of the weights.",
        type="list of strings",
        default="all",
    ),
    Field(
        "provider.preferred_min_throughput",
        ("OpenRouter",),
        "promise",
        "Seconds of sound in a second, for each percentile; slower endpoints come last.",
        type="number or object",
        default="none",
    ),
    Field(
        "provider.preferred_max_latency",
        ("OpenRouter",),
        "promise",
        "Seconds, for each percentile; slower endpoints come last.",
        type="number or object",
        default="none",
    ),
    Field(
        "provider.zdr",
        ("OpenRouter",),
        "promise",
        "Only endpoints that keep nothing. No transcript is kept, though the key keeps its own.",
        type="boolean",
        default="`false`",
    ),
    Field(
        "provider.data_collection",
        ("OpenRouter",),
        "promise",
        "`deny`: only endpoints whose providers collect no data.",
        type="string",
        default="`allow`",
    ),
    Field(
        "provider.require_parameters",
        ("OpenRouter",),
        "promise",
        "Hints become promises.",
        type="boolean",
        default="`false`",
    ),
    Field(
        "session_id",
        ("OpenRouter",),
        "promise",
        "Stored with the generation.",
        type="string",
        default="none",
    ),
    Field(
        "user",
        ("OpenRouter",),
        "promise",
        "Stored with the generation.",
        type="string",
        default="none",
    ),
    Field("trace", ("OpenRouter",), "hint", "Not stored.", type="object", default="none"),
    Field("metadata", ("others",), "hint", "Not stored.", type="object", default="none"),
    Field(
        "models",
        ("OpenRouter",),
        "promise",
        "Those that are tried after `model`, in order.",
        type="list of strings",
        default="none",
    ),
    Field(
        "hedge",
        ("others",),
        "hint",
        "Ask a second endpoint where the first is slow.",
        type="boolean",
        default="`false`",
    ),
)

ASR_WEBSERVICE: Final = (
    Field("audio_file", (), "promise", "The recording, in a form."),
    Field("encode", (), "promise", "`false`: the recording is headerless s16le, mono, 16 kHz."),
    Field("task", (), "promise", "`transcribe` or `translate`.", "translates"),
    Field("language", (), "promise", "The language spoken, by code or name.", "languages"),
    Field("output", (), "promise", "`txt`, `vtt`, `srt`, `tsv` or `json`."),
    Field("word_timestamps", (), "promise", "Words with times in `json`."),
    Field("initial_prompt", (), "hint", "The same as `prompt`.", "prompt"),
    Field("vad_filter", (), "default", "Speech is detected anyway."),
    Field("video_file", (), "default", "Not read, and not logged."),
    Field("diarize", (), "promise", "Who speaks.", "speakers"),
    Field("model", (), "promise", "An installed model; `default` without."),
)
"""The fields of `/asr` of whisper-asr-webservice: but for the recording, they are in the address.
`/detect-language` has `audio_file`, `encode` and `video_file`."""

WHISPER_CPP: Final = (
    Field("file", (), "promise", "The recording, in a form."),
    Field("response_format", (), "promise", "`json`, `text`, `srt`, `vtt` or `verbose_json`."),
    Field("language", (), "promise", "As above; the model detects it without.", "languages"),
    Field("translate", (), "promise", "Write English.", "translates"),
    Field("prompt", (), "hint", "A text that could precede the recording.", "prompt"),
    Field("temperature", (), "hint", "0 to 2; another number is refused.", "temperature"),
    Field("temperature_inc", (), "hint", "The step after a doubtful text: 0.2, and no other."),
    Field("beam_size", (), "promise", "-1 is the model's own number.", "beam_size"),
    Field("no_timestamps", (), "promise", "No words in `verbose_json`."),
    Field("token_timestamps", (), "promise", "`false`: no words in `verbose_json`."),
    Field("diarize", (), "promise", "Who speaks.", "speakers"),
    Field("tinydiarize", (), "promise", "Who speaks.", "speakers"),
    Field("detect_language", (), "promise", "Refused: `/detect-language` answers it."),
    Field("offset_t", (), "promise", "Refused, but for 0: the whole recording is transcribed."),
    Field("duration", (), "promise", "Refused, but for 0: the whole recording is transcribed."),
    Field("offset_n", (), "promise", "Refused, but for 0: captions are numbered from 1."),
    Field("vad", (), "default", "Speech is detected anyway."),
    Field("debug_mode", (), "default", "Nothing is logged of a recording."),
    Field("model", (), "promise", "An installed model; `default` without."),
)
"""The fields of `/inference` of whisper.cpp's server, in a form."""

HINTS: Final = frozenset(field.name for field in FIELDS if field.kind == "hint")
KEPT: Final = frozenset(field.name for field in FIELDS if field.kind != "hint")
"""The fields that are fulfilled or refused: none of them is ever named as unused."""

RECORDING_FIELDS: Final = frozenset({"model", "models", "file", "file_url", "file_id"})
OWN_OPTIONS: Final = frozenset(
    field.name for field in FIELDS if "." not in field.name and field.name not in RECORDING_FIELDS
)
"""The fields that may be below `provider.options.local` as well."""

VOCABULARY_FIELDS: Final = tuple(each.name for each in FIELDS if each.needs == "vocabulary")
"""The fields in which clients name expected words. All of them are one option here."""

SPEAKER_FIELDS: Final = tuple(each.name for each in FIELDS if each.needs == "speakers")
"""The fields that ask who speaks."""
