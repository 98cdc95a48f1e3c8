"""The package's face: two names, and no torch before they are used."""

import subprocess
import sys

import pytest

import voxgate.voxtral
from voxgate.voxtral import DecodingResult, Voxtral
from voxgate.voxtral import decoding as generations
from voxgate.voxtral import model as models


def test_the_names_that_users_need_are_at_hand() -> None:
    assert Voxtral is models.Voxtral
    assert DecodingResult is generations.DecodingResult
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = voxgate.voxtral.nothing_here


def test_who_only_looks_at_a_folder_imports_no_torch() -> None:
    script = (
        "import sys, voxgate.voxtral, voxgate.voxtral.checkpoint.directory, "
        "voxgate.models.available;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
