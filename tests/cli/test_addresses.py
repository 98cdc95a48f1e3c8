"""`voxgate transcribe https://...`: fetched, then the same as a file."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.command import CLIP_WORDS, DEADLINE_S, MODEL, CliRunner, wait_until, without_times
from tests.client.wire import GOLDEN, Wire, http, wire
from tests.sounds import Pcm, encode
from tests.websites import Web, dripping, redirect, response, web_beside

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTE = b"RIFF, to a client as good as any"
WORDS = "train stopped\noutside the city\n"  # of the golden answer, as txt
HOST = "127.0.0.1"  # private: the user's own


@pytest.fixture(scope="module")
def site() -> Iterator[Web]:
    with web_beside() as running:
        named = 'attachment; filename="call 7.m4a"'
        running.answers |= {
            "/note.wav": response(200, NOTE),
            "/other.mp3": response(200, NOTE + b"!"),
            "/download": response(200, NOTE, content_disposition=named),
            "/again": response(200, NOTE, content_disposition=named),
            "/on": redirect("/note.wav"),
            "/listen": response(200, b"<!doctype html>"),
            "/cut.wav": response(200, NOTE, content_length=len(NOTE) + 1),
        }
        yield running


def answering(times: int = 1) -> Wire:
    """Return a server of Voxgate's that knows the words of every recording."""
    return wire(*[http(200, GOLDEN)] * times)


def run(cli: CliRunner, server: Wire, *arguments: str, **settings: Any) -> tuple[int, str, str]:
    done = cli.run("transcribe", *arguments, *MODEL, "--server", server.url, **settings)
    return done.returncode, done.stdout, done.stderr


def outputs(cli: CliRunner) -> list[str]:
    return sorted(p.name for p in (cli.folder / "out").iterdir() if p.suffix != ".jsonl")


def test_a_wav_and_an_mp3_are_transcribed_here(cli: CliRunner, site: Web, spoken: Pcm) -> None:
    site.answers["/talks/talk.wav"] = response(200, encode(spoken, "talk.wav"))
    site.answers["/talk"] = response(
        200, encode(spoken, "talk.mp3"), content_disposition="attachment; filename=Tuesday.mp3"
    )
    urls = (site.url("/talks/talk.wav?X-Signature=5ec7e7", HOST), site.url("/talk", "localhost"))
    done = cli.run("transcribe", *urls, *MODEL, "-o", "out")
    assert done.returncode == 0, done.stderr
    assert outputs(cli) == ["Tuesday.txt", "talk.txt"]
    for name in outputs(cli):
        assert CLIP_WORDS in (cli.folder / "out" / name).read_text()
    assert "5ec7e7" not in done.stderr
    log = (cli.folder / "out/.voxgate-sources.jsonl").read_text().splitlines()
    assert {json.loads(line)["transcript"] for line in log} == {"Tuesday.txt", "talk.txt"}


def test_what_was_fetched_is_sent_to_a_server(cli: CliRunner, site: Web) -> None:
    with answering(2) as server:
        urls = site.url("/on", HOST), site.url("/download", HOST)
        code, out, err = run(cli, server, *urls)
        first, second = server.requests
        assert (first.recording(), second.recording()) == (NOTE, NOTE)
        assert first.json()["input_audio"]["format"] == "wav"
        assert second.json()["input_audio"]["format"] == "m4a"
    assert (code, out) == (0, f"==> note.wav <==\n{WORDS}\n==> call 7.m4a <==\n{WORDS}")
    assert without_times(err) == "voxgate: 2 recordings: 2 transcribed.\n"


def test_the_command_may_be_left_out(cli: CliRunner, site: Web) -> None:
    with answering() as server:
        done = cli.run(site.url("/note.wav", HOST), *MODEL, "--server", server.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, WORDS, "")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/gone.mp3", "gone.mp3: 127.0.0.1 answered 404 (Not Found) instead of a recording."),
        ("/listen", "listen: What 127.0.0.1 has there is a page, not a recording."),
        ("/cut.wav", "cut.wav: 127.0.0.1 broke off after 32 bytes of the recording."),
    ],
)
def test_a_failure_stops_no_other_recording(
    cli: CliRunner, site: Web, path: str, says: str
) -> None:
    with answering() as server:
        urls = site.url(path, HOST), site.url("/note.wav", HOST)
        code, out, err = run(cli, server, *urls)
    assert (code, out) == (1, f"==> note.wav <==\n{WORDS}")
    failure, summary = err.splitlines()
    assert failure.startswith(f"voxgate: {says}")
    assert without_times(summary) == "voxgate: 2 recordings: 1 transcribed, 1 failed."


@pytest.mark.parametrize(
    ("arguments", "settings", "code", "says"),
    [
        (("https://youtu.be/a?t=1",), {}, 2, "yt-dlp -f bestaudio -o - 'https://youtu.be/a?t=1' |"),
        (("https://me:pw@example.org/a.mp3",), {}, 2, "a user name or a password"),
        (("ftp://example.org/a.mp3",), {}, 2, "does not begin with http:// or https://"),
        (("http://192.0.2.1/a.mp3",), {"VOXGATE_OFFLINE": "1"}, 1, "recording from 192.0.2.1, but"),
    ],
)
def test_what_cannot_be_fetched_is_refused_before_any_work(
    cli: CliRunner, arguments: tuple[str, ...], settings: dict[str, Any], code: int, says: str
) -> None:
    (cli.folder / "note.wav").write_bytes(NOTE)
    with answering() as server:
        done = run(cli, server, "note.wav", *arguments, "-o", "out", **settings)
        assert server.requests == []
    assert done[:2] == (code, "")
    (line,) = done[2].splitlines()
    assert says in line
    assert not (cli.folder / "out").exists()


def test_ctrl_c_ends_the_fetch(cli: CliRunner, site: Web) -> None:
    site.answers["/endless"] = dripping(
        response(200, content_length=None, transfer_encoding="chunked"), 0.01
    )
    call = ("transcribe", site.url("/endless", HOST), *MODEL, "--server", "http://localhost:9")
    with cli.running(*call) as process:
        wait_until(lambda: any("/endless" in head for head in site.heads))
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out, err) == (130, "", "voxgate: interrupted: stopping.\n")
    wait_until(lambda: "/endless" in site.left)


def test_the_limit_is_that_of_files(cli: CliRunner, site: Web) -> None:
    with answering() as server:
        limit = {"VOXGATE_MAX_SOURCE_BYTES": "10"}
        code, _, err = run(cli, server, site.url("/note.wav", HOST), **limit)
    assert code == 1
    assert "note.wav is larger than 0 MB, the configured limit. Raise VOXGATE_MAX_SOURCE" in err


def test_names_that_come_with_recordings_do_not_collide(cli: CliRunner, site: Web) -> None:
    (cli.folder / "note.mp3").write_bytes(NOTE)
    urls = [site.url(path, HOST) for path in ("/note.wav", "/download", "/again")]
    with answering(3) as server:
        code, _, err = run(cli, server, "note.mp3", *urls, "-o", "out")
    assert code == 1
    assert outputs(cli) == ["call 7.txt", "note.txt", "note.wav.txt"]
    failure, summary = err.splitlines()
    assert "out gets the transcript of another recording called call 7.m4a in this" in failure
    assert without_times(summary) == "voxgate: 4 recordings: 3 transcribed, 1 failed."


def test_what_is_there_of_the_same_bytes_is_skipped(cli: CliRunner, site: Web) -> None:
    url = site.url("/changing", HOST)
    named = {"content_disposition": "attachment; filename=talk.ogg"}
    site.answers["/changing"] = response(200, NOTE, **named)
    with answering(2) as server:
        assert run(cli, server, url, "-o", "out")[0] == 0
        assert outputs(cli) == ["talk.txt"]
        code, _, err = run(cli, server, url, "-o", "out", "--skip-existing")
        assert (code, err) == (0, "voxgate: 1 recording: 1 skipped.\n")
        site.answers["/changing"] = response(200, NOTE + b"!", **named)
        code, _, err = run(cli, server, url, "-o", "out", "--skip-existing")
        assert (code, err) == (0, "voxgate: replaced out/talk.txt, which was there already.\n")
        assert len(server.requests) == 2


def test_a_terminal_shows_the_fetch_and_keeps_what_it_was_not_asked_about(
    cli: CliRunner, site: Web
) -> None:
    def on_terminal(*options: str) -> tuple[int, str]:
        with answering() as server:
            call = ("transcribe", site.url("/download", HOST), *MODEL, "--server", server.url)
            code, _, shown = cli.run_on_terminal(*call, "-o", "out", *options, typed=b"y\n")
        return code, " ".join(shown.split())

    code, shown = on_terminal()
    assert code == 0
    assert "fetching download" in shown
    code, shown = on_terminal()
    assert code == 1
    assert "out/call 7.txt is there already, and its recording's name came only with" in shown
    assert on_terminal("--overwrite")[0] == 0
