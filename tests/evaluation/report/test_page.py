from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from tests.evaluation.values import Attempts, evaluated, heard
from voxgate.errors import AudioError
from voxgate.evaluation.report import page as page_module
from voxgate.evaluation.report.page import evaluation_page

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'{{ 7 * 7 }}"
VOID = {"meta", "br", "img", "link"}


class Page(HTMLParser):
    """The elements of a page, its attributes, and the text of each kind of element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data.strip()))

    def all_of(self, tag: str) -> list[str]:
        return [text for each, text in self.texts if each == tag]


def test_each_error_is_marked_by_an_element_of_its_own() -> None:
    models: dict[str, Attempts] = {
        "acme/m": {"a.wav": heard("a train stopped now")},
        "acme/n": {"a.wav": heard("the train")},
    }
    page = Page(evaluation_page(evaluated({"a.wav": "the train stopped"}, models), NOW))
    article = page.tags.index("article")
    assert page.tags[article:].count("mark") == 1
    assert page.tags[article:].count("ins") == 1
    assert page.tags[article:].count("del") == 1
    assert page.all_of("ins") == ["inserted", "now"]
    assert page.all_of("mark") == ["substituted", "a"]
    assert page.all_of("del") == ["\u2212", "\u2212"]
    assert page.all_of("b")[1:] == ["the", "train", "stopped"]
    assert {"66.7 %", "33.3 %"} <= set(page.all_of("strong"))
    assert "m" in page.all_of("span")


def test_hostile_texts_are_text() -> None:
    models: dict[str, Attempts] = {HOSTILE: {HOSTILE: heard(HOSTILE), "b.wav": AudioError(HOSTILE)}}
    page = Page(evaluation_page(evaluated({HOSTILE: HOSTILE, "b.wav": HOSTILE}, models), NOW))
    assert {"script", "img"}.isdisjoint(page.tags)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert page.all_of("dd") == [HOSTILE] * 3  # two references and a text
    assert page.all_of("h3")[0] == HOSTILE


def test_the_page_needs_no_other_file() -> None:
    page = Page(evaluation_page(evaluated({"a.wav": "no"}, {"m": {"a.wav": heard("no")}}), NOW))
    assert {"script", "link", "img", "iframe"}.isdisjoint(page.tags)
    links = [value for name, value in page.attributes if name in {"src", "href"}]
    assert links == ["#method", "#r1"]
    (policy,) = [value for name, value in page.attributes if value and "default-src" in value]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"


def test_a_lone_surrogate_can_be_written() -> None:
    models: dict[str, Attempts] = {"m": {"a.wav": heard("no \ud800")}}
    evaluation_page(evaluated({"a.wav": "no"}, models), NOW).encode()


def test_a_large_folder_has_the_words_of_the_worst_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MOST_ROWS", 3)
    monkeypatch.setattr(page_module, "MOST_DETAILS", 2)
    references = {f"{number}.wav": "yes" for number in range(5)}
    attempts: Attempts = {name: heard("no" if name == "4.wav" else "yes") for name in references}
    page = Page(evaluation_page(evaluated(references, {"m": attempts}), NOW))
    assert page.all_of("h3") == ["4.wav", "0.wav"]
    assert page.all_of("a")[1:] == ["4.wav", "0.wav"]
    assert "1.wav" in page.all_of("td")
    assert "2.wav" not in page.all_of("td")
    told = " ".join(" ".join(page.all_of("p")).split())
    assert "These are the worst 3 of 5" in told
    assert "The words of the worst 2 of 5 recordings are shown" in told


def test_a_long_recording_is_shown_as_far_as_there_is_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(page_module, "MOST_COLUMNS", 4)
    references = {"a.wav": "a bird", "b.wav": "we saw a red bird", "c.wav": "yes"}
    attempts: Attempts = {"a.wav": heard(""), "b.wav": heard("we saw"), "c.wav": heard("yes")}
    page = Page(evaluation_page(evaluated(references, {"m": attempts}), NOW))
    assert page.all_of("h3") == ["a.wav", "b.wav"]
    assert page.all_of("b")[1:] == ["a", "bird", "we", "saw"]
    assert "3 more are not shown here" in " ".join(page.all_of("p"))
    assert page.all_of("dd") == ["a bird"]  # not the text of the other, which may be as long
