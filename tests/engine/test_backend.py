from dataclasses import replace

import pytest

from tests.engine.material import MODEL
from voxgate.engine.backend import load_model
from voxgate.errors import NoWeightsError
from voxgate.models.catalogue import BUILT_IN_MODELS


def test_a_model_that_is_not_installed_is_not_loaded() -> None:
    spec = replace(BUILT_IN_MODELS[MODEL], distributions=("pocketsphinx", "no-such-thing"))
    with pytest.raises(NoWeightsError, match="no-such-thing"):
        load_model(spec)
