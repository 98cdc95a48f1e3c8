import subprocess
import sys
from dataclasses import replace

import pytest

from tests.engine.material import MODEL
from voxgate.engine.catalogue import MODELS, find, load, missing
from voxgate.errors import EngineStartError, UnknownModelError


def test_models_stand_under_their_names() -> None:
    assert find(MODEL) is MODELS[MODEL]
    assert all(name == spec.name for name, spec in MODELS.items())


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownModelError, match=f"Nearest: {MODEL}"):
        find("cmusphinx/en-uk")


def test_what_is_not_installed_is_named() -> None:
    assert missing(MODELS[MODEL]) is None
    spec = replace(MODELS[MODEL], distributions=("pocketsphinx", "no-such-thing"))
    sentence = missing(spec)
    assert sentence is not None
    assert "`pip install no-such-thing`" in sentence
    with pytest.raises(EngineStartError, match="no-such-thing"):
        load(spec)


def test_the_catalogue_is_read_without_loading_models() -> None:
    heavy = "{'pocketsphinx', 'numpy', 'starlette', 'uvicorn', 'httpx2'}"
    code = f"import sys, voxgate.engine.catalogue; print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert answer.stdout.strip() == b"set()"
