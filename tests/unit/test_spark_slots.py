"""How many workers a run has on a cluster, by its configuration and the slots there are."""

from __future__ import annotations

import logging

import pytest

from asha_bus.core.errors import InvalidArgument
from asha_bus.driver.spark_slots import MOST_ON_DEMAND, POLL_S, Supply, supply
from asha_bus.driver.spark_watch import GONE_S, STARVED_S, SlotsWatch

STANDALONE, YARN = "spark://host:7077", "yarn"
UNKNOWN = Supply(None)
TWO = Supply(2, "spark.cores.max=2")
DYNAMIC = {"spark.dynamicAllocation.enabled": "true"}


@pytest.mark.parametrize(
    ("master", "conf", "promised"),
    [
        (STANDALONE, {}, None),
        (STANDALONE, {"spark.cores.max": "6"}, 6),
        (STANDALONE, {"spark.cores.max": "6", "spark.task.cpus": "4"}, 1),
        (STANDALONE, {"spark.cores.max": "7", "spark.executor.cores": "3"}, 6),
        (
            STANDALONE,
            {"spark.cores.max": "8", "spark.executor.cores": "3", "spark.task.cpus": "2"},
            2,
        ),
        # without spark.executor.cores an executor takes all cores of a machine
        (STANDALONE, {"spark.executor.instances": "3"}, None),
        (STANDALONE, {"spark.executor.instances": "3", "spark.executor.cores": "2"}, 6),
        (
            STANDALONE,
            {
                "spark.executor.instances": "3",
                "spark.executor.cores": "2",
                "spark.cores.max": "4",
            },
            4,
        ),
        (YARN, {}, None),
        (YARN, {"spark.executor.instances": "3"}, 3),
        ("k8s://host", {"spark.executor.instances": "3", "spark.executor.cores": "4"}, 12),
        (YARN, {"spark.executor.instances": "3", "spark.task.resource.gpu.amount": "1"}, None),
        ("local-cluster[2,3,1024]", {}, 6),
        ("local-cluster[2,3,1024]", {"spark.task.cpus": "2"}, 2),
        ("local-cluster[2,3,1024]", {"spark.cores.max": "4"}, 4),
        ("local-cluster[2,3,1024]", {"spark.cores.max": "9"}, 6),
        (YARN, DYNAMIC, None),
        (YARN, {**DYNAMIC, "spark.dynamicAllocation.maxExecutors": "5"}, 5),
        (YARN, {**DYNAMIC, "spark.dynamicAllocation.maxExecutors": "2147483647"}, None),
    ],
)
def test_the_configuration_promises_slots(
    master: str, conf: dict[str, str], promised: int | None
) -> None:
    found = supply(master, conf)
    assert promised == found.promised
    assert ("spark.dynamicAllocation.enabled" in conf) == found.on_demand


@pytest.mark.parametrize(
    ("given", "wanted", "slots", "first"),
    [
        (UNKNOWN, None, 3, 3),
        (UNKNOWN, 2, 3, 2),
        (UNKNOWN, 5, 3, 3),
        (TWO, None, 1, 1),
        (TWO, 2, 1, 1),
        (Supply(None, on_demand=True), None, 0, MOST_ON_DEMAND),
        (Supply(None, on_demand=True), 50, 0, 50),
        (Supply(4, "most=4", on_demand=True), None, 1, 4),
    ],
)
def test_a_run_begins_with_what_is_there(
    given: Supply, wanted: int | None, slots: int, first: int
) -> None:
    assert first == given.first(wanted, slots)


def test_more_than_there_will_ever_be_is_refused_with_what_says_so() -> None:
    text = r"workers=3 is more than the 2 task slots that Spark has by spark\.cores\.max=2"
    with pytest.raises(InvalidArgument, match=text):
        TWO.first(3, 1)
    loose = Supply(2, "spark.executor.instances=2", is_limit=False)  # of a standalone cluster
    assert 1 == loose.first(3, 1)


def watch(given: Supply, wanted: int | None = None, timeout_s: float = 60.0) -> SlotsWatch:
    return SlotsWatch("run", given, wanted, timeout_s, is_fixed=False)


@pytest.mark.parametrize(
    ("given", "wanted", "workers", "slots", "more"),
    [
        (UNKNOWN, None, 1, 4, 3),
        (UNKNOWN, 2, 1, 4, 1),
        (UNKNOWN, 2, 2, 4, 0),
        (TWO, None, 1, 1, 0),
        (TWO, None, 1, 2, 1),
        (Supply(None, on_demand=True), None, 32, 100, 0),
        (Supply(None, on_demand=True), None, 4, 8, 4),
    ],
)
def test_slots_that_come_are_taken_up_to_the_number_that_was_given(
    given: Supply, wanted: int | None, workers: int, slots: int, more: int
) -> None:
    assert more == watch(given, wanted).poll(slots, workers, 0)


def polls(watched: SlotsWatch, seconds: float, *state: int) -> list[int]:
    return [watched.poll(*state) for _ in range(int(seconds / POLL_S))]


def test_workers_whose_slots_stay_away_are_released_but_one() -> None:
    watched = watch(UNKNOWN)
    early = polls(watched, GONE_S - POLL_S, 1, 3, 0)
    assert {0} == set(early)
    assert -2 == watched.poll(1, 3, 0)
    assert -2 == polls(watch(UNKNOWN), GONE_S, 0, 3, 0)[-1]


def test_an_executor_that_is_replaced_in_time_costs_no_worker() -> None:
    watched = watch(UNKNOWN)
    for _ in range(3):
        changes = [*polls(watched, GONE_S - POLL_S, 1, 2, 0), watched.poll(2, 2, 0)]
        assert {0} == set(changes)


def test_tasks_that_wait_are_what_starts_executors_on_demand() -> None:
    assert {0} == set(polls(watch(Supply(4, on_demand=True)), 3 * GONE_S, 1, 4, 0))


def test_slots_that_are_missing_after_the_time_are_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = watch(TWO, timeout_s=5.0)
    polls(watched, 4.5, 1, 1, 0)
    assert "" == caplog.text
    polls(watched, 20.0, 1, 1, 0)
    assert 1 == caplog.text.count(
        "after 5 s Spark has 1 of the 2 task slots that the run waits for"
    )
    caplog.clear()
    polls(watch(TWO, timeout_s=5.0), 20.0, 2, 2, 0)
    assert "" == caplog.text


def test_a_job_of_somebody_else_that_waits_is_warned_of_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watched = watch(UNKNOWN)
    polls(watched, STARVED_S - POLL_S, 4, 4, 1)
    watched.poll(4, 4, 0)  # it was short
    polls(watched, STARVED_S - POLL_S, 4, 4, 1)
    assert "" == caplog.text
    polls(watched, 20.0, 4, 4, 1)
    assert 1 == caplog.text.count("pass workers=3")
    caplog.clear()
    polls(watch(UNKNOWN, 3), 20.0, 4, 3, 1)  # there is a slot for it
    assert "" == caplog.text


def test_a_number_of_slots_that_cannot_change_is_not_followed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "asha_bus")
    watched = SlotsWatch("run", Supply(2, "local[2]"), 1, 60.0, is_fixed=True)
    assert {0} == set(polls(watched, 30.0, 2, 1, 0))
    assert "" == caplog.text
