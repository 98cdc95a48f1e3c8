import json
import os
import pty

from tests.cli.command import Place


def test_a_pipe_gets_columns_divided_by_tabs(at: Place) -> None:
    done = at.run("models")
    heading, *rows = (line.split("\t") for line in done.stdout.splitlines())
    assert heading == ["model", "languages", "times", "longest window", "licence", "state"]
    assert rows == [["cmusphinx/en-us", "en", "word", "30 s", "BSD-2-Clause", "installed"]]


def test_programs_get_json(at: Place) -> None:
    (model,) = json.loads(at.run("models", "--json").stdout)
    assert model["name"] == "cmusphinx/en-us"
    assert model["languages"] == ["en"]
    assert model["installed"]
    assert model["missing"] is None


def test_a_terminal_gets_a_table(at: Place) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        done = at.run("models", stdout=theirs, COLUMNS="120")
        os.close(theirs)
        table = screen.read(1 << 16).decode()
    assert done.returncode == 0
    assert "cmusphinx/en-us" in table
    assert "──" in table
    assert "\t" not in table
