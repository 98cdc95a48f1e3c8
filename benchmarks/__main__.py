"""`make bench`: one table."""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
from pathlib import Path

from benchmarks import decoding, server, voxtral, whole_path
from benchmarks.table import show


async def main() -> None:
    """Measure everything, a quarter of an hour long, and print it."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        parts = (decoding, whole_path, server, voxtral)
        show([row for part in parts for row in await part.rows(Path(folder))])


if __name__ == "__main__":
    asyncio.run(main())
