import json

import jsonschema

from tests.evaluation.values import Attempts, evaluated, heard
from voxgate.errors import AudioError
from voxgate.evaluation.report.record import evaluation_record

COUNTS = {
    "type": ["object", "null"],
    "required": ["rate", "reference", "hits", "substitutions", "deletions", "insertions"],
    "additionalProperties": False,
    "properties": {
        "rate": {"type": ["number", "null"]},
        **{
            name: {"type": "integer"}
            for name in ("reference", "hits", "substitutions", "deletions", "insertions")
        },
    },
}
NUMBER = {"type": ["number", "null"]}
STRINGS = {"type": "array", "items": {"type": "string"}}
MODEL = {
    "model": {"type": "string"},
    "recordings": {"type": "integer"},
    "failed": {"type": "integer"},
    "not_begun": {"type": "integer"},
    "wer": COUNTS,
    "cer": COUNTS,
    "coverage": NUMBER,
    "without_text": {"type": "integer"},
    "audio_seconds": {"type": "number"},
    "processing_seconds": {"type": "number"},
    "real_time_factor": NUMBER,
    "times_real_time": NUMBER,
    "cost_per_audio_hour": NUMBER,
}
STEP = {
    "type": {"enum": ["equal", "substitute", "delete", "insert"]},
    "reference": {"type": "string"},
    "hypothesis": {"type": "string"},
}
RESULT = {
    "model": {"type": "string"},
    "text": {"type": "string"},
    "language": {"type": ["string", "null"]},
    "errors": COUNTS,
    "audio_seconds": {"type": "number"},
    "processing_seconds": {"type": "number"},
    "real_time_factor": NUMBER,
    "alignment": {"type": "array", "items": None},
}


def strict(properties: dict[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


FAILURE = strict(
    {
        "model": {"type": "string"},
        "error": strict({"code": {"type": "string"}, "message": {"type": "string"}}),
    }
)
RECORDING = {
    "recording": {"type": "string"},
    "reference": {"type": "string"},
    "language": {"type": ["string", "null"]},
    "unit": {"enum": ["word", "character"]},
    "results": {
        "type": "array",
        "items": {
            "oneOf": [
                strict({**RESULT, "alignment": {"type": "array", "items": strict(STEP)}}),
                FAILURE,
            ]
        },
    },
}
SCHEMA = strict(
    {
        "voxgate": {"type": "string"},
        "folder": {"type": "string"},
        "normaliser": strict({"package": {"type": "string"}, "version": {"type": "string"}}),
        "models": {"type": "array", "items": strict(MODEL)},
        "recordings": {"type": "array", "items": strict(RECORDING)},
        "left_out": STRINGS,
    }
)


def test_every_name_is_always_there_and_no_other() -> None:
    references = {"a.wav": "the train stopped", "s.wav": "", "ja.wav": "今日は", "b.wav": "no"}
    models: dict[str, Attempts] = {
        "m": {
            "a.wav": heard("a train stopped now", cost=10_000_000),
            "s.wav": heard("", language=None, cost=0),
            "ja.wav": heard("", cost=0),
            "b.wav": AudioError("b.wav is broken."),
        },
        "n": {"a.wav": heard("")},
    }
    record = json.loads(json.dumps(evaluation_record(evaluated(references, models))))
    jsonschema.validate(record, SCHEMA)
    first, second = record["models"]
    assert first["wer"] == {
        "rate": 0.666667,
        "reference": 3,
        "hits": 2,
        "substitutions": 1,
        "deletions": 0,
        "insertions": 1,
    }
    assert (first["cost_per_audio_hour"], second["cost_per_audio_hour"]) == (1.2, None)
    assert (first["cer"]["deletions"], second["cer"]) == (3, None)
    failed, not_begun = record["recordings"][3]["results"]
    assert failed["error"] == {"code": "invalid_audio", "message": "b.wav is broken."}
    assert not_begun["error"]["code"] == "not_begun"
    (aligned, _) = record["recordings"][0]["results"]
    assert aligned["alignment"] == [
        {"type": "substitute", "reference": "the", "hypothesis": "a"},
        {"type": "equal", "reference": "train stopped", "hypothesis": "train stopped"},
        {"type": "insert", "reference": "", "hypothesis": "now"},
    ]
    (characters, _) = record["recordings"][2]["results"]
    assert characters["alignment"][0]["reference"] == "今日は"
