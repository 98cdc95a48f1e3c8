"""Record the golden cases: see the package's docstring for the command's options."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import tests.conftest  # noqa: F401 (sets the environment before anything of Voxgate is imported)
from tests.golden.cases import save

if TYPE_CHECKING:
    from tests.golden.cases import Case

PARTS = ("api", "commands", "settings", "home", "engine", "weights")


def main() -> None:
    """Collect the chosen parts and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; else all")
    parser.add_argument("--prose", action="store_true", help="refuse a changed structure")
    parser.add_argument("--new-home", action="store_true", help="write a new old home as well")
    chosen = parser.parse_args()
    if chosen.new_home:
        _new_home()
    for part in chosen.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="vg-golden-") as folder:
            cases = collect(part, Path(folder))
        save(part, cases, prose_only=chosen.prose)
        print(f"{part}: {len(cases)} cases")


def collect(part: str, folder: Path) -> dict[str, Case]:
    """Collect one part; each imports what it needs."""
    from tests.golden import api, commands, engine, home, settings, weights  # noqa: PLC0415

    if part == "api":
        return asyncio.run(api.collect(folder))
    others = {
        "commands": commands.collect,
        "settings": settings.collect,
        "home": home.collect,
        "engine": engine.collect,
        "weights": weights.collect,
    }
    return others[part](folder)


def _new_home() -> None:
    from tests.golden import home, weights  # noqa: PLC0415

    for part in (home, weights):
        with tempfile.TemporaryDirectory(prefix="vg-golden-") as folder:
            part.write(Path(folder))


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
