"""The modules that the store imports, and when."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.hub import Hub
from tests.models.conftest import NAME
from voxgate.settings import Settings

SCRIPT = """
import json, sys
from pathlib import Path
from voxgate.settings import Settings
from voxgate.models.store.registry import Registry
from voxgate.models.available import AvailableModels
settings = Settings(home=Path(sys.argv[1]))
Registry.open(settings).add(sys.argv[2], "digits")
AvailableModels(settings)["digits"]
before = set(sys.modules)
from voxgate.models.store.pull import pull_model
pull_model(Registry.open(settings), sys.argv[3])
print(json.dumps([sorted(before), sorted(sys.modules)]))
"""


def test_the_client_is_loaded_by_a_pull_and_torch_by_nothing(
    settings: Settings, checkpoint: Path, hub: Hub
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, settings.home, checkpoint, NAME],
        check=True,
        capture_output=True,
        env={**os.environ, "HF_ENDPOINT": hub.url},
    )
    before, after = (
        {name.partition(".")[0] for name in names} for names in json.loads(done.stdout)
    )
    assert before.isdisjoint({"torch", "huggingface_hub", "httpx2"})
    assert "huggingface_hub" in after
    assert "torch" not in after
