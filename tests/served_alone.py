"""A program: serves on the loopback of this network, and asks for the words of a recording.

    served_alone.py RECORDING MODEL

Writes JSON: the answer of the server. It has one network for both, which a test has not.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

DEADLINE_S = 50.0
FIELDS = "--voxgate-test"


def main() -> int:
    """Serve, ask once, end the server."""
    recording, model = sys.argv[1:]
    serve = [sys.executable, "-m", "voxgate", "--offline", "serve", "--port", "0"]
    with subprocess.Popen(serve, stderr=subprocess.PIPE, text=True) as server:
        try:
            url, key = _announced(server)
            sys.stdout.write(json.dumps(_asked(url, key, Path(recording), model)))
        finally:
            server.terminate()
    return server.returncode


def _announced(server: subprocess.Popen[str]) -> tuple[str, str]:
    key, lines = "", server.stderr
    assert lines is not None
    for line in lines:
        if shown := re.search(r"sk-vg-\S+", line):
            key = shown[0]
        if listening := re.search(r"listening on (\S+)", line):
            return listening[1], key
    raise SystemExit("the server did not come up")


def _asked(url: str, key: str, recording: Path, model: str) -> object:
    """One form, as curl -F sends it."""
    head = f'--{FIELDS}\r\nContent-Disposition: form-data; name="model"\r\n\r\n{model}\r\n'
    head += f'--{FIELDS}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = head.encode() + recording.read_bytes() + f"\r\n--{FIELDS}--\r\n".encode()
    request = urllib.request.Request(f"{url}/audio/transcriptions", body)  # noqa: S310 (our own server)
    request.add_header("Authorization", f"Bearer {key}")
    request.add_header("Content-Type", f"multipart/form-data; boundary={FIELDS}")
    with urllib.request.urlopen(request, timeout=DEADLINE_S) as answer:  # noqa: S310 (as above)
        return json.load(answer)


if __name__ == "__main__":
    sys.exit(main())
