"""Sentences name the options that the command line has; those of the server keep its fields."""

import pytest

from tests.cli.command import MODEL, CliRunner
from tests.sounds import ffmpeg
from voxgate.cli.option_names import OPTIONS, with_own_options


@pytest.mark.parametrize(
    ("sentence", "own"),
    [
        ("Number 1 was transcribed; `track` chooses another.", "`--track` chooses another."),
        ("'max_tokens' and 'stop' end one text.", "'--max-tokens' and '--stop' end one text."),
        ("'vocabulary' was not used.", "'--keyterm' was not used."),
        ("a track of 'trackers', by 'models'.", "a track of 'trackers', by 'models'."),
    ],
)
def test_only_names_of_options_are_replaced(sentence: str, own: str) -> None:
    assert with_own_options(sentence).endswith(own)


def test_every_option_exists(empty_cli: CliRunner) -> None:
    page = empty_cli.run("transcribe", "--help").stdout
    for option in OPTIONS.values():
        assert f"{option} " in page


def test_the_track_of_a_film_is_chosen_by_an_option(cli: CliRunner) -> None:
    tone = ("-f", "lavfi", "-i", "sine=d=1")
    film = ffmpeg(*tone, *tone, "-map", "0", "-map", "1", "-c:a", "flac", "film.mka")
    (cli.folder / "film.mka").write_bytes(film)
    done = cli.run("transcribe", "film.mka", *MODEL)
    assert "Number 1 was transcribed; `--track` chooses another" in done.stderr
    done = cli.run("transcribe", "film.mka", *MODEL, "--track", "")
    assert done.stderr.startswith("voxgate: '--track' is empty: ")
