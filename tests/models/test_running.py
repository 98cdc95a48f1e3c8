"""Records of real processes: running engines are found, dead ones are not."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.engine.material import wait_until
from voxgate.models.catalogue import BUILT_IN_MODELS
from voxgate.models.running import EngineRecord, published_record, running_engines

SPEC = BUILT_IN_MODELS["Systran/faster-whisper-base"]

HOLDER = """
import sys, time
from pathlib import Path
from voxgate.models.catalogue import BUILT_IN_MODELS
from voxgate.models.running import EngineRecord, published_record
(spec,) = BUILT_IN_MODELS.values()
record = EngineRecord.for_process(spec, Path("/nowhere/engine"))
with published_record(record, Path(sys.argv[1])):
    print("published", flush=True)
    sys.stdin.read()
"""


NEWER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write('{"pid": 1, "colour": 2}')
file.flush()
sys.stdin.read()
"""


def test_a_record_is_published_while_the_engine_runs(tmp_path: Path) -> None:
    folder = tmp_path / "home" / "run"
    record = EngineRecord.for_process(SPEC, tmp_path / "engine")
    with published_record(record, folder):
        assert running_engines(folder) == [record]
        assert running_engines(folder) == [record]  # looking takes nothing away
        assert (record.pid, record.model) == (os.getpid(), SPEC.name)
    assert list(folder.iterdir()) == []


def test_the_record_of_a_killed_process_is_deleted(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert [record.pid for record in running_engines(tmp_path)] == [process.pid]
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / f"{process.pid}.json").exists()
        assert running_engines(tmp_path) == []
        assert list(tmp_path.iterdir()) == []


def test_an_unlocked_file_is_not_an_engine(tmp_path: Path) -> None:
    with published_record(EngineRecord.for_process(SPEC, tmp_path / "engine"), tmp_path):
        stale = tmp_path / f"{2**22 + 1}.json"
        stale.write_text(json.dumps({"pid": 1}), "utf-8")
        assert len(running_engines(tmp_path)) == 1
        assert not stale.exists()


def test_a_record_of_another_version_is_kept(tmp_path: Path) -> None:
    with subprocess.Popen(
        [
            *(sys.executable, "-c", NEWER),
            str(tmp_path / "77.json"),
        ],
        stdin=subprocess.PIPE,
    ) as process:
        wait_until(
            lambda: (tmp_path / "77.json").exists() and bool((tmp_path / "77.json").read_text())
        )
        assert running_engines(tmp_path) == []
        assert (tmp_path / "77.json").exists()
        assert process.stdin is not None
        process.stdin.close()


def test_an_engine_runs_where_no_record_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    entered = False
    with published_record(
        EngineRecord.for_process(SPEC, tmp_path / "engine"), tmp_path / "home" / "run"
    ):
        entered = True
    assert entered
