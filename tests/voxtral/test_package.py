"""The package exports two names, and imports no torch before they are used."""

import subprocess
import sys

import pytest

import voxgate.voxtral
from voxgate.voxtral import DecodingResult, Voxtral
from voxgate.voxtral import decoding as generations
from voxgate.voxtral import model as models


def test_the_public_names_are_exported() -> None:
    assert Voxtral is models.Voxtral
    assert DecodingResult is generations.DecodingResult
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = voxgate.voxtral.nothing_here


def test_inspecting_a_directory_imports_no_torch() -> None:
    script = (
        "import sys, voxgate.voxtral, voxgate.voxtral.checkpoint.directory, "
        "voxgate.models.available;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
