"""What answers by a schema cost: the mask of each token, and a decode step with masks.

    python -m benchmarks.guidance [--seed 1]

With the published vocabulary of 131 072 tokens. Masks are of the schemas in samples/schemas and of
random ones, along random answers: a real answer strays less, and costs less. The steps are those of
a random model whose head has the published size, in turns with masks and without. All times but the
first are of the processor, with one thread, so that other work on the machine counts little: a mask
that is computed beside a step counts in full.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tests.answers.random_schemas import draw_schemas
from tests.voxtral import checkpoints, vocabulary

from benchmarks.table import Row, show
from voxgate.answers.schema import ANY_OBJECT, checked_schema
from voxgate.voxtral.guidance import Guidance, GuidanceTokenizer
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.resumable import run_to_end
from voxgate.voxtral.sampling import choose_greedily
from voxgate.voxtral.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAMPLES = Path(__file__).parents[1] / "samples" / "schemas"
RANDOM_SCHEMAS = 100
ANSWERS, TOKENS = 4, 100  # of each schema, and at most of each answer
WIDTH, LAYERS = 1024, 4  # of the random model: a step as long as those of small checkpoints
ROUNDS, STEPS = 5, 12
MINUTES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "summary": {"type": "string"},
        "decisions": {"type": "array", "items": {"type": "string"}},
        "tasks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "task": {"type": "string"},
                    "owner": {"type": ["string", "null"]},
                    "due": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
                    "state": {"enum": ["open", "in work", "done"]},
                },
                "required": ["task", "owner", "due", "state"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["summary", "decisions", "tasks"],
    "additionalProperties": False,
}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guidance", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    number = parser.parse_args().seed
    torch.set_num_threads(1)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        tekken = vocabulary.write_tekken(Path(scratch) / "tekken.json", vocabulary.ALL_TEXTS)
        show([*mask_rows(tekken, number), *step_rows(Path(scratch), tekken)])


def mask_rows(tekken: Path, number: int) -> Iterator[Row]:
    """Measure the vocabulary, and compilation and masks of each kind of schema."""
    tokenizer = Tokenizer.open(tekken)
    start_s = time.perf_counter()
    shared = GuidanceTokenizer(tokenizer)
    yield Row("vocabulary, once for a checkpoint", f"{time.perf_counter() - start_s:.2f} s")
    samples = [json.loads(path.read_text("utf-8")) for path in sorted(SAMPLES.glob("*.json"))]
    for name, schemas in (
        ("minutes", [MINUTES]),
        *([("samples/schemas", samples)] if samples else []),
        ("any object", [json.loads(ANY_OBJECT)]),
        ("1000 choices", [{"enum": [f"choice {index}" for index in range(1000)]}]),
        (f"{RANDOM_SCHEMAS} random schemas", draw_random(number)),
    ):
        first_s, masks_s = measure_masks(shared, schemas, random.Random(number))  # noqa: S311
        p99 = statistics.quantiles(masks_s, n=100, method="inclusive")[98]
        yield Row(
            f"masks of {name}",
            f"median {1e6 * statistics.median(masks_s):.0f} µs, p99 {1e6 * p99:.0f}, "
            f"largest {1e6 * max(masks_s):.0f} of {len(masks_s)}",
            f"compiled, with the first: median {1e3 * statistics.median(first_s):.1f} ms, "
            f"largest {1e3 * max(first_s):.1f}",
            "<= 1000 µs",
        )


def draw_random(number: int) -> list[Any]:
    """Return random schemas that are accepted."""
    accepted = draw_schemas(4 * RANDOM_SCHEMAS, number).accepted
    return [schema for schema, _ in accepted[-RANDOM_SCHEMAS:]]  # the first ones are the simplest


def measure_masks(
    shared: GuidanceTokenizer, schemas: Sequence[Any], dice: random.Random
) -> tuple[list[float], list[float]]:
    """Return the seconds of the processor for each first mask and for each other one."""
    first_s, masks_s = list[float](), list[float]()
    for schema in schemas:
        text = checked_schema(schema, "It")
        for _ in range(ANSWERS):
            start_s = time.process_time()
            guidance = Guidance(shared, text)
            mask = guidance.mask()
            first_s.append(time.process_time() - start_s)
            for _ in range(TOKENS):
                token = int(dice.choice(np.flatnonzero(mask.numpy())))
                start_s = time.process_time()
                guidance.accept(token)
                mask = guidance.mask()
                masks_s.append(time.process_time() - start_s)
                if guidance.finished:
                    break
    return first_s, masks_s


def step_rows(scratch: Path, tekken: Path) -> Iterator[Row]:
    """Measure decode steps with a choice of the next tokens, in turns with masks and without."""
    model = checkpoints.random_model(vocabulary.ALL_TEXTS, width=WIDTH, layers=LAYERS)
    voxtral = Voxtral.load(checkpoints.save_hf(model, tekken, scratch / "model"))
    del model
    shared = GuidanceTokenizer(voxtral.tokenizer)
    for sequences in (1, 8):
        plain_s, masked_s = list[float](), list[float]()
        for _ in range(ROUNDS):
            plain_s.append(measure_steps(voxtral, sequences, None))
            masked_s.append(measure_steps(voxtral, sequences, shared))
        plain, masked = statistics.median(plain_s), statistics.median(masked_s)
        more = statistics.median(b / a for a, b in zip(plain_s, masked_s, strict=True)) - 1
        yield Row(
            f"decode step with a mask for each of {sequences}",
            f"{1e3 * masked:.2f} ms: {100 * more:+.1f} %",
            f"without masks: {1e3 * plain:.2f} ms",
            "<= +5 %",
        )


@torch.inference_mode()
def measure_steps(voxtral: Voxtral, sequences: int, shared: GuidanceTokenizer | None) -> float:
    """Return the median seconds of the processor for a step with the choice of its tokens."""
    text = checked_schema(MINUTES, "It")
    guidances = [Guidance(shared, text) for _ in range(sequences)] if shared else []
    cache = voxtral.new_cache(slots=sequences, capacity=STEPS + 2)
    slots = [cache.allocate() for _ in range(sequences)]
    tokens, elapsed_s = [voxtral.tokenizer.bos] * sequences, list[float]()
    for guidance in guidances:
        guidance.mask()  # compiled beside the prefill, which is not measured here
    for _ in range(STEPS):
        start_s = time.process_time()
        rows = run_to_end(voxtral.step(cache, slots, tokens))
        masks = [guidance.mask() for guidance in guidances]
        tokens = [choice.token for choice in choose_greedily(rows, masks)]
        for guidance, token in zip(guidances, tokens, strict=bool(guidances)):
            guidance.accept(token)
            guidance.prepare()
        elapsed_s.append(time.process_time() - start_s)
    return statistics.median(elapsed_s)


if __name__ == "__main__":
    main()
