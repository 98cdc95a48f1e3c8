"""Run `make bench`: all measurements in one table."""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
from pathlib import Path

from benchmarks import decoding, form_route, server, voxtral, whisper, whole_path
from benchmarks.table import show


async def main() -> None:
    """Measure everything and print it. Takes half an hour."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        modules = (decoding, whole_path, whisper, server, form_route, voxtral)
        show([row for module in modules for row in await module.rows(Path(folder))])


if __name__ == "__main__":
    asyncio.run(main())
