"""Names of models: which are valid, and which installed model a name stands for. Pure functions.

A family is defined by the shape of its model: every model with the shape of Voxtral Mini belongs to
Voxtral Mini, whether it is the official checkpoint or a fine-tuned one. Any other shape is a family
of its own with the model's name, so that an alias never means another kind of model.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import TYPE_CHECKING

from voxgate.errors import EngineStartError, UnknownModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from voxgate.models.checkpoint import Shape
    from voxgate.models.store.record import ModelRecord

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_NAME = re.compile(rf"{_PART}(/{_PART})?")

LONGEST = 200  # characters of a name: comparing longer texts takes time
NEAR = 0.8  # how like a name that is meant is: "whisper-1" is no "whisper-tiny"

SYSTRAN = "Systran/faster-whisper"  # the official conversions to CTranslate2, by size


@dataclass(frozen=True, slots=True)
class Family:
    """A published shape, and the aliases that stand for an installed model of that shape."""

    name: str
    title: str  # for people
    repository: str  # the official one
    download_bytes: int  # of that repository's weights
    shape: Shape
    aliases: frozenset[str]  # in lower case
    sizes: frozenset[str] = frozenset()  # what openai-whisper calls it; a model may be named so


_OTHER_SIZES = {"large-v3": ("large",), "large-v3-turbo": ("turbo",)}


OPENAI_NAME = "whisper-1"
"""What clients of OpenAI's API send. It stands for the Whisper that is built in."""


def _whisper(
    size: str, repository: str, megabytes: int, shape: tuple[int, int, int, int]
) -> Family:
    """Return a family of Whisper. A shape is width, encoder and decoder layers, vocabulary."""
    return Family(
        name=f"whisper-{size}",
        title=f"Whisper {size}",
        repository=repository,
        download_bytes=megabytes * 10**6,
        shape=("whisper", *shape),
        aliases=frozenset(
            {f"openai/whisper-{size}", f"whisper-{size}", repository.lower()}
            | ({OPENAI_NAME} if size == "base" else set())
        ),
        sizes=frozenset({size, *_OTHER_SIZES.get(size, ())}),
    )


FAMILIES = (
    Family(
        name="voxtral-mini",
        title="Voxtral Mini",
        repository="mistralai/Voxtral-Mini-3B-2507",
        download_bytes=9_400_000_000,
        shape=("voxtral", 3072, 30),
        aliases=frozenset(
            {
                "mistralai/voxtral-mini-transcribe",
                "mistralai/voxtral-mini-3b-2507",
                "voxtral-mini-transcribe",
                "voxtral-mini-latest",
                "voxtral-mini-2507",
                "voxtral-mini",
            }
        ),
    ),
    Family(
        name="voxtral-small",
        title="Voxtral Small",
        repository="mistralai/Voxtral-Small-24B-2507",
        download_bytes=48_000_000_000,
        shape=("voxtral", 5120, 40),
        aliases=frozenset(
            {
                "mistralai/voxtral-small-24b-2507",
                "voxtral-small-latest",
                "voxtral-small-2507",
                "voxtral-small",
            }
        ),
    ),
    *(
        _whisper(size, f"{SYSTRAN}-{size}", megabytes, shape)
        for size, megabytes, shape in (
            ("tiny", 78, (384, 4, 4, 51865)),
            ("tiny.en", 78, (384, 4, 4, 51864)),
            ("base", 148, (512, 6, 6, 51865)),
            ("base.en", 148, (512, 6, 6, 51864)),
            ("small", 486, (768, 12, 12, 51865)),
            ("small.en", 486, (768, 12, 12, 51864)),
            ("medium", 1530, (1024, 24, 24, 51865)),
            ("medium.en", 1530, (1024, 24, 24, 51864)),
            ("large-v2", 3090, (1280, 32, 32, 51865)),
            ("large-v3", 3090, (1280, 32, 32, 51866)),
        )
    ),
    _whisper(
        "large-v3-turbo",
        "deepdml/faster-whisper-large-v3-turbo-ct2",
        1620,
        (1280, 32, 4, 51866),
    ),
    _whisper(
        "distil-large-v3", "Systran/faster-distil-whisper-large-v3", 1520, (1280, 32, 2, 51866)
    ),
)

_FAMILIES_BY_NAME = {
    name: family for family in reversed(FAMILIES) for name in family.aliases | family.sizes
}
"""By every alias and size; of a name that two have, the first."""


def pull_advice(name: str) -> str:
    """Return the command that gets a model, with the size of its download where it is known."""
    family = family_by_alias(name)
    size = f" ({family.download_bytes / 1e9:.1f} GB)" if family else ""
    return f"`voxgate models pull {family.repository if family else name}`{size}"


def unknown_model(name: str, known: Iterable[str]) -> UnknownModelError:
    """Return the error for a name that no model has.

    It names the nearest models of `known`, or all of them, or a published one that can be pulled
    and is nearer.
    """
    known = sorted(known)
    here = [alias for family in FAMILIES if family.repository in known for alias in family.aliases]
    nearness = max((_likeness(name, each) for each in (*known, *here)), default=0.0)
    likely = [
        (_likeness(name, alias), family.name, family)
        for family in FAMILIES
        for alias in family.aliases | family.sizes
        if family.repository not in known
    ]
    likeness, _, family = max(likely, default=(0.0, "", None))
    if family is None or likeness <= max(nearness, NEAR):
        near = get_close_matches(name.lower(), known, n=3, cutoff=0.4) or known
        hint = f"Nearest: {', '.join(near)}." if near else "None is installed."
        return UnknownModelError(
            f"No model is called '{name}'. {hint} `voxgate models` lists them all."
        )
    return UnknownModelError(
        f"No model is called '{name}'. Nearest: {family.title}, which is not installed: "
        f"{pull_advice(family.repository)}. `voxgate models` lists those that are."
    )


def _likeness(name: str, other: str) -> float:
    """Return how like two names are, from 0 to 1, without their owners."""
    first, second = (each.lower().rpartition("/")[2] for each in (name[:LONGEST], other))
    return SequenceMatcher(None, first, second).ratio()


def check_name(name: str) -> str:
    """Return the name if it is valid, else raise `UsageError`.

    A name becomes a path below `models/`. So it has one or two parts of letters, digits, '.', '_'
    and '-', each of which begins with a letter or digit, and it contains no '..' and no '--'.
    """
    if not _NAME.fullmatch(name) or ".." in name or "--" in name:
        raise UsageError(
            f"'{name}' cannot be a model's name. A name is NAME or OWNER/NAME, each of at most 96 "
            f"letters, digits, '.', '_' and '-', without '..' and '--'."
        )
    return name


def check_free_name(name: str) -> str:
    """Return the name if a new model may have it, else raise `UsageError`."""
    official = {family.repository for family in FAMILIES}
    taken = any(check_name(name).lower() in family.aliases for family in FAMILIES)
    if taken and name not in official:
        raise UsageError(f"'{name}' stands for something else already. Choose another name.")
    return name


def family_by_alias(name: str) -> Family | None:
    """Return the family with that alias or size, in any case; None without one."""
    return _FAMILIES_BY_NAME.get(name.lower())


def family_of(shape: Shape, name: str) -> str:
    """Return the family of a shape; for an unpublished shape, the model's own name."""
    return next((family.name for family in FAMILIES if family.shape == shape), name)


def choose_model(name: str, installed: Sequence[ModelRecord]) -> ModelRecord:
    """Return the installed model that a name or an alias stands for.

    A model's own name has precedence. An alias stands for the official checkpoint of its family,
    else for the model of the family that was installed last (of two at the same time, the last by
    name). Raises `EngineStartError` (`no_endpoints`) for an alias of a family with no installed
    model, and `UnknownModelError` for any other name.
    """
    for record in installed:
        if record.name == name:
            return record
    family = family_by_alias(name)
    if family is None:
        raise unknown_model(name, [record.name for record in installed])
    members = [record for record in installed if record.family == family.name]
    if not members:
        raise EngineStartError(
            f"No {family.title} is installed, and '{name}' stands for nothing else. Get it: "
            f"{pull_advice(family.repository)}.",
            code="no_endpoints",
        )
    return max(
        members, key=lambda record: (record.name == family.repository, *_install_order(record))
    )


def aliases_of(record: ModelRecord, installed: Sequence[ModelRecord]) -> tuple[str, ...]:
    """Return the aliases that stand for this model; empty if it is not among the installed."""
    if record not in installed:
        return ()
    aliases = [alias for f in FAMILIES if f.name == record.family for alias in f.aliases]
    return tuple(sorted(a for a in aliases if choose_model(a, installed).name == record.name))


def _install_order(record: ModelRecord) -> tuple[str, str]:
    return record.installed_at, record.name
