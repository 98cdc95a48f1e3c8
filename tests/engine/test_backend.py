from dataclasses import replace

from tests.engine.material import MODEL
from tests.failures import raises
from voxgate.engine.backend import load_model
from voxgate.models.catalogue import BUILT_IN_MODELS


def test_a_model_that_is_not_installed_is_not_loaded() -> None:
    spec = replace(BUILT_IN_MODELS[MODEL], distributions=("faster-whisper", "no-such-thing"))
    with raises("no_endpoints", match="no-such-thing"):
        load_model(spec)
