from tests.failures import raises
from voxgate.engine.queue import RequestQueue, WindowRequest
from voxgate.transcript.values import Event, Options


def request() -> WindowRequest:
    def on_event(_: Event) -> None:
        raise AssertionError("no scheduler runs")

    def on_end(_: Exception | None) -> None:
        raise AssertionError("no scheduler runs")

    return WindowRequest(b"", Options(), on_event, on_end)


def test_first_come_first_served() -> None:
    queue = RequestQueue()
    requests = [request() for _ in range(3)]
    for one in requests:
        queue.add(one)
    order = []
    while (first := queue.first()) is not None:
        order.append(first)
        queue.remove(first)
    assert order == requests


def test_removing_what_does_not_wait_does_nothing() -> None:
    queue = RequestQueue()
    queue.add(request())
    queue.remove(request())
    assert len(queue) == 1


def test_a_full_queue_refuses() -> None:
    queue = RequestQueue(limit=2)
    for _ in range(2):
        queue.add(request())
    with raises("engine_busy", match="2 windows waiting"):
        queue.add(request())


def test_a_closed_queue_is_empty_and_refuses() -> None:
    queue = RequestQueue()
    queue.add(request())
    queue.close()
    assert (len(queue), queue.first()) == (0, None)
    with raises("engine_busy"):
        queue.add(request())
