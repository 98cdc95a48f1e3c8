"""A golden case: collected values, with volatile parts replaced and sentences kept apart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA = Path(__file__).parent.parent / "data" / "golden"

PROSE = {"message", "sentence", "description", "summary", "title", "missing", "mend", "prose"}
"""Keys whose texts are sentences for people."""

VOLATILE = [
    (re.compile(r"gen-stt-\d{10}-[A-Za-z0-9]{20}"), "<generation>"),
    (re.compile(r"sk-vg-[A-Za-z0-9_-]{8,}"), "<key>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:<port>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?"), "<time>"),
    (re.compile(r"dur=[\d.]+"), "dur=<ms>"),
    (re.compile(r"\b0\.1\.\d+\b"), "<version>"),
]
"""Texts that differ from run to run, and what stands for them."""

NUMBERS = {
    *("latency", "generation_time", "pid", "step_age_s", "idle_s", "memory_bytes"),
    *("p50", "p75", "p90", "p99"),  # of times and speeds
}
"""Keys whose numbers differ from run to run; null stays null."""

HEARD = {
    *("start", "end", "confidence", "language_probability", "avg_logprob", "log_probability"),
    *("no_speech_prob", "no_speech_probability"),
}
"""Keys of a model's numbers, which differ between processors: their 8-bit products do."""


@dataclass(frozen=True, slots=True)
class Case:
    """What one call gave: its structure, and its sentences."""

    structure: Any
    prose: Any = None


def case(
    value: Any,
    places: Mapping[str, str] | None = None,
    *,
    numbers: set[str] = NUMBERS,
    volatile: bool = True,
) -> Case:
    """Make a case of JSON.

    `places` maps paths and the like to placeholders; without `volatile`, ids and times stay.
    """
    pairs = [(re.compile(re.escape(text)), stand_in) for text, stand_in in (places or {}).items()]
    prose: list[str] = []
    stable = _stable(value, pairs + (VOLATILE if volatile else []), numbers)
    structure = _split(stable, prose)
    return Case(structure, prose or None)


def _stable(value: Any, pairs: list[tuple[re.Pattern[str], str]], numbers: set[str]) -> Any:
    if isinstance(value, dict):
        return {
            _stable(key, pairs, numbers): "<number>"
            if key in numbers and isinstance(item, int | float)
            else _stable(item, pairs, numbers)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_stable(item, pairs, numbers) for item in value]
    if isinstance(value, str):
        for pattern, stand_in in pairs:
            value = pattern.sub(stand_in, value)
    return value


def _split(value: Any, prose: list[str]) -> Any:
    """Move the sentences into `prose`, in the order in which they stand."""
    if isinstance(value, dict):
        return {key: _sentence(item, prose) if key in PROSE else _split(item, prose)
                for key, item in value.items()}  # fmt: skip
    return [_split(item, prose) for item in value] if isinstance(value, list) else value


def _sentence(value: Any, prose: list[str]) -> Any:
    if not isinstance(value, str):
        return _split(value, prose)
    prose.append(value)
    return "<prose>"


def load(part: str) -> dict[str, Case]:
    """Read the recorded cases of a part, by name."""
    structure, prose = (_read(path) for path in _paths(part))
    return {name: Case(value, prose.get(name)) for name, value in structure.items()}


def save(part: str, cases: Mapping[str, Case], *, prose_only: bool) -> None:
    """Record the cases of a part. With `prose_only`, exit if any structure has changed."""
    structure, prose = _paths(part)
    if prose_only:
        before = load(part)
        changed = [name for name in {**before, **cases} if name not in before or name not in cases
                   or text(before[name].structure) != text(cases[name].structure)]  # fmt: skip
        if changed:
            raise SystemExit(f"{part}: the structure has changed: {', '.join(changed)}")
    DATA.mkdir(exist_ok=True)
    structure.write_text(_lines({name: each.structure for name, each in cases.items()}), "utf-8")
    sentences = {name: each.prose for name, each in cases.items() if each.prose is not None}
    prose.write_text(_lines(sentences), "utf-8")


def text(value: Any) -> str:
    """Show a value for comparison: the order of keys counts."""
    return json.dumps(value, ensure_ascii=False, indent=1)


def _lines(cases: dict[str, Any]) -> str:
    """One case a line: a difference in a commit shows its name."""
    lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in cases.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _paths(part: str) -> tuple[Path, Path]:
    return DATA / f"{part}.json", DATA / f"{part}.prose.json"


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found
