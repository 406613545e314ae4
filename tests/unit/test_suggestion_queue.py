"""The queue of suggestions: what is requested when, and the trials that points become."""

from __future__ import annotations

from typing import Any

import pytest

from asha_bus.core.events import RequestSuggestions, RunSettings, TrialUpdated
from asha_bus.core.schedulers import ASHA
from asha_bus.core.suggestions import BATCH, FIRST_BATCH, LOOK_AHEAD, SuggestionQueue
from asha_bus.core.trial import Trial
from asha_bus.core.trials import TrialTable
from asha_bus.core.waiting import Waiting

Point = tuple[float, ...]


def points(first: int, count: int) -> tuple[Point, ...]:
    return tuple((float(number),) for number in range(first, first + count))


class Queue(SuggestionQueue):
    """A queue with its table of trials."""

    def __init__(self, limit: int | None = None, **settings: Any) -> None:
        given = RunSettings("run", ASHA(max_resource=9), 7, max_trials=limit, **settings)
        self.table = TrialTable("min", is_told=given.learns)
        scheduler = given.scheduler.new_state(mode="min", seed=7)
        super().__init__(given, scheduler, self.table, Waiting())

    def asked(self, workers: int = 0) -> list[tuple[int, int]]:
        """The first and the number of all points that are requested now."""
        requests = self.requests(workers)
        return [(one.first, one.number) for one in requests if isinstance(one, RequestSuggestions)]

    def pop(self) -> Trial | None:
        """Take the next trial, if there is one."""
        trial = self.peek()
        if trial is not None:
            self.take()
        return trial

    def give(self) -> Trial:
        """Give out the next trial."""
        trial = self.pop()
        assert trial is not None
        self.table.add(trial, 0.0)
        return trial

    @property
    def points_there(self) -> int:
        return self.depths[0]


def test_points_are_asked_for_in_batches_up_to_the_look_ahead() -> None:
    assert [(0, FIRST_BATCH), (FIRST_BATCH, BATCH)] == Queue().asked()
    assert FIRST_BATCH + 2 * BATCH > LOOK_AHEAD >= FIRST_BATCH + BATCH


def test_no_more_points_are_asked_for_than_there_will_be_trials() -> None:
    assert [(0, FIRST_BATCH), (FIRST_BATCH, 30)] == Queue(FIRST_BATCH + 30).asked()
    assert [(0, 1)] == Queue(1).asked()


def test_a_batch_is_asked_for_as_points_are_used() -> None:
    queue = Queue()
    for first, count in queue.asked():
        queue.add(first, points(first, count))
    drawn = queue.points_there
    assert FIRST_BATCH + BATCH == drawn
    assert [] == queue.asked()  # and the first point is a trial
    for _ in range(drawn - (LOOK_AHEAD - BATCH) - 2):
        queue.give()
        assert [] == queue.asked()
    queue.give()
    assert [(drawn, BATCH)] == queue.asked()


def test_points_come_out_in_the_order_of_trials() -> None:
    queue = Queue(5)
    queue.asked()
    queue.add(0, points(0, 2))
    assert ((0.0,), 1) == (queue.give().point, queue.points_there)
    queue.add(2, points(2, 3))
    assert [(1.0,), (2.0,), (3.0,), (4.0,)] == [queue.give().point for _ in range(4)]
    assert (0, 0) == queue.depths
    assert queue.pop() is None


@pytest.mark.parametrize("first", [5, 0])
def test_points_that_nobody_requested_or_waits_for_are_ignored(first: int) -> None:
    queue = Queue(learns=True)
    queue.asked(1)
    queue.add(0, points(0, 1))
    queue.give()
    queue.add(first, points(first, 1))
    assert 0 == queue.points_there


def test_a_searcher_that_learns_is_asked_for_one_point_a_worker() -> None:
    queue = Queue(learns=True)
    assert [(0, 1)] == queue.asked()
    assert [(1, 1), (2, 1)] == queue.asked(3)
    assert [] == queue.asked(3)
    queue.add(1, points(1, 2))
    assert (0, None) == (queue.missing, queue.peek())
    queue.add(0, points(0, 1))
    first = queue.peek()
    assert [] == queue.asked(3)  # none was given out
    assert queue.give() is first
    assert [(3, 1)] == queue.asked(3)
    assert (1.0,) == queue.give().point


def test_with_many_workers_it_is_asked_for_the_points_of_a_quarter_at_once() -> None:
    queue = Queue(50, learns=True)
    assert [(0, 3), (3, 3), (6, 3), (9, 3)] == queue.asked(12)
    queue.add(0, points(0, 12))
    asked = []
    for _ in range(4):
        queue.give()
        asked.append(queue.asked(12))
    assert [[(12, 3)], [], [], [(15, 3)]] == asked
    queue.add(12, points(12, 6))
    for _ in range(14):
        queue.give()
    assert [(18, 32)] == queue.asked(128)  # the last ones


def test_missing_suggestions_are_requested_again_in_batches() -> None:
    queue = Queue(learns=True)
    queue.asked(6)
    queue.add(0, points(0, 1))
    queue.add(3, points(3, 1))
    assert [RequestSuggestions(1, 2), RequestSuggestions(4, 2)] == list(queue.requests_again())


def test_the_last_point_is_the_limit() -> None:
    queue = Queue(10, learns=True)
    queue.asked(4)
    queue.add(0, points(0, 1))
    queue.add(1, (), is_last=True)
    assert (1, True) == (queue.limit, queue.is_exhausted)
    queue.give()
    assert queue.missing is None
    assert [] == queue.asked(9)


def test_updates_are_sent_only_with_the_next_request() -> None:
    queue = Queue(learns=True)
    queue.asked(1)
    queue.add(0, points(0, 1))
    trial = queue.give()
    assert queue.table.unseen is not None
    queue.table.unseen.add(0)
    assert [TrialUpdated(trial), RequestSuggestions(1, 1)] == list(queue.requests(1))
    queue.table.unseen.add(0)
    assert [] == list(queue.requests(1))


def test_repeats_need_one_point_a_configuration() -> None:
    queue = Queue(7, repeats=3, learns=True)
    assert [(0, 1), (1, 1)] == queue.asked(4)
    queue.add(0, points(0, 3))  # the third was not requested
    given = [queue.give() for _ in range(6)]
    assert [(0.0,)] * 3 + [(1.0,)] * 3 == [trial.point for trial in given]
    assert [0, 1, 2] * 2 == [trial.repeat for trial in given]
    assert given[:3] == given[0].siblings
    assert [(2, 1)] == queue.asked(4)
    queue.add(2, points(2, 1))
    assert (2.0,) == queue.give().point
    assert (None, 7) == (queue.pop(), queue.limit)


@pytest.mark.parametrize(("there", "limit"), [(1, 2), (2, 4), (3, 5)])
def test_the_last_point_limits_the_repeats(there: int, limit: int) -> None:
    queue = Queue(5, repeats=2)
    assert 5 == queue.limit
    queue.asked()
    queue.add(0, points(0, there), is_last=True)
    assert limit == queue.limit
