"""The code on a model's page, cut out of it and run by its clients against the server it is of."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.cli.command import CLIP_WORDS
from tests.clients.client import ENVIRONMENTS, SCRIPTS
from tests.processes import DEADLINE_S
from tests.sounds import SAMPLE
from tests.web.browsing import looking, pages_served
from tests.whisper.weights import install_links
from voxgate.errors import UsageError
from voxgate.pipeline.session import Session
from voxgate.web.models.code_samples import RECORDING, base_url, code_samples

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.api.serving import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODEL = "Systran/faster-whisper-base"


@dataclass(frozen=True)
class Program:
    """How a sample is run: the file that it is saved as, and what runs that."""

    file: str
    command: tuple[str, ...]
    environment: str = ""  # of clients in Python, or the folder of one in JavaScript


def python(environment: str) -> Program:
    return Program("ask.py", (str(ENVIRONMENTS / environment / "bin" / "python"),), environment)


def node(folder: str) -> Program:
    return Program("ask.mts", (str(ENVIRONMENTS / "node" / "bin" / "node"),), folder)


SHELL = Program("ask.sh", ("sh", "-eu"))
PROGRAMS = {
    "curl-json": SHELL,
    "curl-form": SHELL,
    "openai-python": python("openai"),
    "openai-typescript": node("node_openai"),
    "openrouter-python": python("openrouter"),
    "openrouter-typescript": node("node_openrouter"),
    "mistral-python": python("mistralai"),
    "mistral-typescript": node("node_mistralai"),
    "voxgate": SHELL,
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("pages")
    install_links(folder / "home")
    async with pages_served(folder, session=Session) as running:
        yield running


async def run(program: Program, code: str, folder: Path, key: str) -> str:
    """Return what a sample prints in a folder with the recording."""
    folder.mkdir()
    shutil.copy(SAMPLE, folder / RECORDING)
    (folder / program.file).write_text(code, "utf-8")
    if program.environment.startswith("node_"):
        modules = SCRIPTS / program.environment / "node_modules"
        if not modules.exists():
            pytest.fail(f"{modules} is not there: run `make clients`.")
        (folder / "node_modules").symlink_to(modules)
    own = Path(sys.executable).parent  # where `voxgate` is
    process = await asyncio.create_subprocess_exec(
        *program.command,
        program.file,
        cwd=folder,
        env={"VOXGATE_KEY": key, "PATH": f"{own}:{os.environ['PATH']}", "HOME": str(folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        printed, said = await process.communicate()
    assert process.returncode == 0, (code, printed.decode(), said.decode())
    return printed.decode()


async def test_each_sample_finds_the_words(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    async with looking(browser, server) as page:
        await page.goto(f"/models/{MODEL}/api")
        ids = await page.locator("code.sample").evaluate_all("all => all.map(each => each.id)")
        codes = {
            id_.removeprefix("code-"): await page.locator(f"#{id_}").text_content() or ""
            for id_ in ids
        }
    assert codes.keys() == PROGRAMS.keys()
    printed = await asyncio.gather(
        *(run(PROGRAMS[id_], code, tmp_path / id_, server.key) for id_, code in codes.items())
    )
    for id_, text in zip(codes, printed, strict=True):
        assert CLIP_WORDS in text, (id_, text)


@pytest.mark.parametrize("host", ["", "a b", "x'$(id)", "[::1", "a.example/path", "a:123456"])
async def test_what_is_no_host_is_part_of_no_command(host: str) -> None:
    with pytest.raises(UsageError, match="not a host's name"):
        base_url("http", host)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "speech.example", "[::1]:8000"])
async def test_a_host_is_the_visitor_s(host: str) -> None:
    url = base_url("https", host)
    assert all(f"https://{host}" in sample.code for sample in code_samples(url, MODEL))


async def test_a_name_with_quotes_stays_a_name(tmp_path: Path) -> None:
    name = "acme/o'brien\"%s$(touch x)`touch x`\\"
    for sample in code_samples("http://127.0.0.1:1", name):
        program = PROGRAMS[sample.id]
        if program.file.endswith(".py"):
            compile(sample.code, sample.id, "exec")
        if program is SHELL:
            shell = await asyncio.create_subprocess_exec(
                *("sh", "-c", f"curl() {{ :; }}; voxgate() {{ :; }}\n{sample.code}"),
                cwd=tmp_path,
                env={"VOXGATE_KEY": "", "PATH": os.environ["PATH"]},
                stderr=asyncio.subprocess.DEVNULL,
            )
            await shell.wait()
    assert list(tmp_path.iterdir()) == []
