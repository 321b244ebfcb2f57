"""Whose turn it is: hand-worked orders, no clock."""

from __future__ import annotations

import threading

import pytest

from ragvoice.errors import BusyError
from ragvoice.fair_queue import FairQueue, Place, Waiting


def served(place: Place) -> bool:
    return next(place.waiting(every_s=0), None) is None


def ahead(place: Place) -> int:
    waiting = next(place.waiting(every_s=0))
    assert isinstance(waiting, Waiting)
    return waiting.ahead


def order(queue: FairQueue, places: list[tuple[str, Place]]) -> list[str]:
    """Names in the order in which they are served when each turn ends before the next begins."""
    found, left = [], list(places)
    while left:
        now = [(name, place) for name, place in left if served(place)]
        assert len(now) == 1
        found.append(now[0][0])
        now[0][1].leave()
        left.remove(now[0])
    assert queue.length == 0
    return found


def test_one_turn_at_a_time_in_the_order_of_arrival() -> None:
    queue = FairQueue()
    first, second, third = (queue.enter(name) for name in ("ada", "bob", "eve"))
    assert (served(first), ahead(second), ahead(third)) == (True, 1, 2)
    first.leave()
    assert (served(second), ahead(third)) == (True, 1)


def test_who_asks_ten_things_does_not_hold_up_the_others() -> None:
    queue = FairQueue(longest=20)
    places = [(f"ada{i}", queue.enter("ada")) for i in range(10)]
    places += [(name, queue.enter(name)) for name in ("bob", "eve")]
    assert [ahead(place) for name, place in places if name in ("bob", "eve")] == [1, 2]
    assert [ahead(place) for _, place in places[1:4]] == [3, 4, 5]
    assert order(queue, places) == ["ada0", "bob", "eve", *(f"ada{i}" for i in range(1, 10))]


def test_who_was_served_least_recently_is_next() -> None:
    queue = FairQueue()
    places = [(name, queue.enter(name[0])) for name in ("a1", "b1", "a2", "b2", "c1", "a3")]
    assert order(queue, places) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_two_slots_are_two_people() -> None:
    queue = FairQueue(slots=2)
    one, again, other = queue.enter("ada"), queue.enter("ada"), queue.enter("bob")
    assert (served(one), served(again), served(other)) == (True, False, True)
    other.leave()
    assert not served(again)
    one.leave()
    assert served(again)


def test_a_full_queue_says_so_and_lets_people_in_again() -> None:
    queue = FairQueue(longest=2)
    running, waiting, _ = queue.enter("ada"), queue.enter("bob"), queue.enter("eve")
    with pytest.raises(BusyError, match=r"2 questions are waiting .* again in a moment") as busy:
        queue.enter("kim")
    assert busy.value.code == "busy"
    waiting.leave()
    queue.enter("kim")
    running.leave()


def test_one_person_takes_half_of_the_places_at_most() -> None:
    queue = FairQueue(longest=4)
    for _ in range(3):  # one runs, two wait
        queue.enter("ada")
    with pytest.raises(BusyError):
        queue.enter("ada")
    assert ahead(queue.enter("bob")) == 1


def test_a_turn_that_is_given_up_leaves_no_gap() -> None:
    queue = FairQueue()
    first, second, third = (queue.enter(name) for name in ("ada", "bob", "eve"))
    with second:
        pass
    second.leave()
    assert (served(first), ahead(third)) == (True, 1)
    with pytest.raises(RuntimeError), first:
        raise RuntimeError("the turn failed")
    assert served(third)


def test_many_threads_are_all_served_and_never_two_at_once() -> None:
    queue = FairQueue(longest=100)
    inside, seen, done = threading.Semaphore(1), list[str](), list[str]()

    def ask(name: str) -> None:
        with queue.enter(name) as place:
            for _ in place.waiting(every_s=60):
                pass
            if inside.acquire(blocking=False):
                seen.append(name)
                inside.release()
            done.append(name)

    threads = [threading.Thread(target=ask, args=(f"p{i % 8}",)) for i in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(done) == 40
    assert sorted(seen) == sorted(done)
    assert queue.length == 0
