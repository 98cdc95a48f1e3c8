"""The schemas that come with Voxgate: `minutes`, `call-notes` and `to-do`.

The files are links to those of `samples/schemas`. A wheel has the files themselves.
"""

from __future__ import annotations

from pathlib import Path

READY_SCHEMAS = {path.stem: path for path in sorted(Path(__file__).parent.glob("*.json"))}
"""Each file by its name."""
