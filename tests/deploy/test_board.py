"""The Grafana board, Prometheus' configuration and the alerts, on the metrics of a real server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from tests.api.serving import served
from tests.api.test_serve import spoken
from tests.cli.command import isolated_cli
from tests.ledger.test_canary_results import RESULT
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
BOARD = json.loads((DEPLOY / "grafana" / "voxgate.json").read_text("utf-8"))
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
KEY = r"sk-vg-[\w-]+"
OWN = {"up"}  # Prometheus makes it of every target
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*", "$model": ".*"}


def queries() -> Iterator[str]:
    for panel in PANELS:
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield expression
    for line in re.sub(r">-\n\s+", "", (DEPLOY / "alerts.yml").read_text("utf-8")).split("- alert"):
        if found := re.search(r"expr: (.*?)\n\s+(for|labels):", line, re.DOTALL):
            yield " ".join(found[1].split())


def selectors(expression: Any) -> Iterator[Any]:
    """Yield the selectors of a parsed expression."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield expression
    for name in ("expr", "lhs", "rhs", "vector_selector", "args"):
        part = getattr(expression, name, None)
        for each in part if isinstance(part, list) else [part]:
            if each is not None:
                yield from selectors(each)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def exposed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The metrics of a server that has done one request, and has a result of canaries."""
    settings: dict[str, Any] = {
        "VOXGATE_PRICES": "openai/whisper-base = 0.006/minute",
        "VOXGATE_CANARY_EVERY_S": "3600",
    }
    with isolated_cli(tmp_path_factory.mktemp("board")) as cli:
        async with await Ledger.open(cli.folder / "home" / LEDGER_FILE) as ledger:
            await ledger.canaries.add(RESULT)
        async with served(cli, **settings) as server:
            sent = await server.client.post("/audio/transcriptions", json=spoken())
            assert sent.status_code == 200
            made = cli.run("keys", "create", "--name", "prometheus", "--management")
            headers = {"Authorization": f"Bearer {re.findall(KEY, made.stdout + made.stderr)[0]}"}
            return (await server.client.get(f"{server.url}/metrics", headers=headers)).text


def labels(exposed: str) -> dict[str, set[str]]:
    """Return the labels of each metric that has a sample."""
    found = dict[str, set[str]]()
    for family in text_string_to_metric_families(exposed):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


async def test_every_query_is_about_metrics_that_are_there(exposed: str) -> None:
    there = labels(exposed)
    asked = [each for query in queries() for each in selectors(promql_parser.parse(query))]
    assert len(asked) > 30
    for selector in asked:
        assert selector.name in there or selector.name in OWN, selector.name
        known = there.get(selector.name, set()) | {"instance", "job"}
        assert {matcher.name for matcher in selector.matchers.matchers} <= known, selector.name


async def test_the_page_has_every_metric_with_its_labels(exposed: str) -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    rows = re.findall(r"^\| `(voxgate_\w+)` \| \w+ \| ([^|]*?) ?\|", page, re.MULTILINE)
    written = {name: set(re.findall(r"`(\w+)`", names)) for name, names in rows}
    there = {
        re.sub(r"_(bucket|sum|count)$", "", name): names - {"le"}
        for name, names in labels(exposed).items()
        if name.startswith("voxgate_") and not name.endswith("_created")
    }
    assert written == there


def test_every_panel_says_what_it_shows() -> None:
    assert len(PANELS) > 10
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed")
    return found


def test_prometheus_takes_the_configuration_and_the_alerts_fire(
    promtool: str, tmp_path: Path
) -> None:
    for path in (
        DEPLOY / "prometheus.yml",
        DEPLOY / "alerts.yml",
        ROOT / "tests/deploy/alerts.yml",
    ):
        name = "test.yml" if path.parent != DEPLOY else path.name
        shutil.copy(path, tmp_path / name)
    (tmp_path / "voxgate.key").touch()
    for command in (["check", "config", "prometheus.yml"], ["test", "rules", "test.yml"]):
        done = subprocess.run(
            [promtool, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_every_query(promtool: str, tmp_path: Path) -> None:
    rules = [{"record": f"q{n}", "expr": query} for n, query in enumerate(queries())]
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "q", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", tmp_path / "rules.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
