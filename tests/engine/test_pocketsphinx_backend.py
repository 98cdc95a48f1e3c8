import pytest

from tests.engine.material import MODEL, SECOND, VOICE_NOTE_WORDS, noise, recording, voice_note
from voxgate.engine.pocketsphinx_backend import PocketSphinxBackend, load_pocketsphinx
from voxgate.errors import UsageError
from voxgate.models.catalogue import find_model
from voxgate.transcript.values import Done, Event, Options, Progress, Segment


@pytest.fixture(scope="module")
def sphinx() -> PocketSphinxBackend:
    return load_pocketsphinx(find_model(MODEL))


def recognised(sphinx: PocketSphinxBackend, pcm16: bytes) -> list[Event]:
    return list(sphinx.recognise(pcm16, Options()))


def segments(events: list[Event]) -> list[Segment]:
    return [event for event in events if isinstance(event, Segment)]


def test_words_of_the_sample(sphinx: PocketSphinxBackend) -> None:
    (segment,) = segments(recognised(sphinx, voice_note()))
    assert VOICE_NOTE_WORDS in segment.text
    (train,) = (word for word in segment.words if word.text == "train")
    assert 2.5 < train.start < train.end < 4.5


@pytest.fixture(scope="module")
def dialogue() -> bytes:
    return recording("night1968_15s")


def test_times_of_a_real_recording(sphinx: PocketSphinxBackend, dialogue: bytes) -> None:
    events = recognised(sphinx, dialogue)
    words = [word for segment in segments(events) for word in segment.words]
    assert len(words) > 10
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= len(dialogue) / SECOND
    assert all(word.text and not set(word.text) & set("()<>[]+") for word in words)
    assert all(word.confidence is not None and 0 <= word.confidence <= 1 for word in words)


def test_segments_carry_their_words_and_part_at_pauses(sphinx: PocketSphinxBackend) -> None:
    found = segments(recognised(sphinx, recording("night1968_5s") + bytes(SECOND) * 2))
    found += segments(recognised(sphinx, recording("night1968_45s")[: 30 * SECOND]))
    for segment in found:
        assert segment.text == " ".join(word.text for word in segment.words)
        assert (segment.start, segment.end) == (segment.words[0].start, segment.words[-1].end)
        gaps = zip(segment.words[:-1], segment.words[1:], strict=True)
        assert all(after.start - before.end < 0.5 for before, after in gaps)


def test_equal_windows_give_equal_events_whatever_came_before(sphinx: PocketSphinxBackend) -> None:
    note = voice_note()
    first = recognised(sphinx, note)
    recognised(sphinx, noise(3))
    assert recognised(sphinx, note) == first
    broken_off = sphinx.recognise(note, Options())
    while next(broken_off) != Progress(1.0):
        pass
    broken_off.close()
    assert recognised(sphinx, note) == first


def test_progress_is_a_step_of_a_tenth_of_a_second(sphinx: PocketSphinxBackend) -> None:
    events = recognised(sphinx, noise(1.05))
    steps = [event.audio_s for event in events if isinstance(event, Progress) and event.audio_s]
    assert steps == pytest.approx([*(step / 10 for step in range(1, 11)), 1.05])


@pytest.mark.parametrize("seconds", [0, 0.0001, 0.02, 0.1, 30])
def test_digital_silence_has_no_words(sphinx: PocketSphinxBackend, seconds: float) -> None:
    events = recognised(sphinx, bytes(int(seconds * 16_000) * 2))
    assert segments(events) == []
    assert events[-1] == Done("en")


@pytest.mark.parametrize("loudness", [2, 3000])
def test_noise_is_answered(sphinx: PocketSphinxBackend, loudness: int) -> None:
    events = recognised(sphinx, noise(10, loudness))
    assert segments(events) == []
    assert events[-1] == Done("en")


@pytest.mark.parametrize("samples", [1, 100, 409, 410, 800])
def test_a_window_of_a_few_samples_is_answered(sphinx: PocketSphinxBackend, samples: int) -> None:
    assert recognised(sphinx, noise(1)[: samples * 2])[-1] == Done("en")


def test_half_a_sample_is_refused(sphinx: PocketSphinxBackend) -> None:
    with pytest.raises(UsageError, match="3 bytes"):
        recognised(sphinx, b"abc")
