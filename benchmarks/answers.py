"""Four answers by a schema in an engine's batch, compared with four without one.

    python -m benchmarks.answers [--shape mini|short] [--profile exact|balanced|fast] [--tokens 100]

`short` has 4 of Mini's 30 layers: a token costs less, and its mask more beside it. The weights are
zeros: no product depends on the values, and an answer never ends by itself. Rounds with a schema
and without take turns in one scheduler. What is compared is the processor's time of a token of all
four, with one thread: other work on the machine hardly changes it, and it includes the threads of
the masks, so that a token takes at most so much longer.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

import torch

from benchmarks.table import Row, show
from voxgate.answers.schema import checked_schema
from voxgate.answers.values import Message, Question, TextPart
from voxgate.benchmarking.synthetic import write_synthetic
from voxgate.engine.backend import load_model
from voxgate.engine.queue import QuestionRequest
from voxgate.models.catalogue import find_model
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from voxgate.answers.values import AnswerEvent
    from voxgate.engine.backend import Scheduler

ANSWERS = 4
GOAL = 1.05  # of the time of a token without a schema
TASK = {
    "type": "object",
    "properties": {
        "task": {"type": "string", "minLength": 40, "maxLength": 80},
        "owner": {"type": ["string", "null"]},
        "due": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "state": {"enum": ["open", "in work", "done"]},
    },
    "required": ["task", "owner", "due", "state"],
    "additionalProperties": False,
}
SCHEMA = checked_schema({"type": "array", "items": TASK, "minItems": 100}, "'schema'")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers", description=__doc__)
    parser.add_argument("--shape", choices=("mini", "short"), default="short")
    parser.add_argument("--profile", choices=("exact", "balanced", "fast"), default="exact")
    parser.add_argument("--tokens", type=int, default=100, help="of each answer")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{platform.machine()}, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}, "
        f"torch {torch.__version__}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "voxtral"
        write_synthetic(folder, arguments.shape)
        spec = find_model(str(folder))
        scheduler = load_model(replace(spec, profile=arguments.profile)).scheduler()
        token_s(scheduler, SCHEMA, 5)  # reads the vocabulary
        rounds = [
            (
                token_s(scheduler, None, arguments.tokens),
                token_s(scheduler, SCHEMA, arguments.tokens),
            )
            for _ in range(arguments.rounds)
        ]
        scheduler.stop(60)
    plain, guided = (statistics.median(times) for times in zip(*rounds, strict=True))
    ratios = [with_schema / without for without, with_schema in rounds]
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    show(
        [
            Row(
                f"{arguments.shape}, {arguments.profile}: a token of {ANSWERS} answers by a schema",
                f"{1000 * guided:.1f} ms, {statistics.median(ratios):.3f} ({spread})",
                f"without: {1000 * plain:.1f} ms",
                f"<= {GOAL}",
            )
        ]
    )


def token_s(scheduler: Scheduler, schema: str | None, tokens: int) -> float:
    """Return the processor's median seconds of a token while four answers decode together."""
    ends: Queue[Exception | None] = Queue()
    times: list[float] = []

    def note(_event: AnswerEvent) -> None:
        times.append(time.process_time())

    question = Question(
        (Message("user", (TextPart(json.dumps(TASK)),)),), Options(max_tokens=tokens), schema
    )
    for _ in range(ANSWERS - 1):
        scheduler.add(QuestionRequest(question, b"", lambda _: None, ends.put))
    # The last one begins when the others decode: all its tokens but the first are of four.
    scheduler.add(QuestionRequest(question, b"", note, ends.put))
    for _ in range(ANSWERS):
        if error := ends.get():
            raise error
    decoding = times[-tokens - 1 : -1]  # the last event comes with the last token
    return statistics.median(after - before for before, after in pairwise(decoding))


if __name__ == "__main__":
    main()
