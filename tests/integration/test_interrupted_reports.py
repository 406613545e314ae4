"""Exceptions that strike inside a report, and clean-ups that do not end."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest
from lib.objectives import alarmed

import asha_bus as ab

SPACE = {"x": ab.uniform(0, 1)}


def test_an_alarm_inside_a_report_breaks_nothing() -> None:
    result = ab.launch(
        alarmed,
        SPACE,
        scheduler=ab.ASHA(max_resource=27),
        max_trials=200,
        workers=2,
        engine="local",
        monitor=None,
        seed=7,
    )
    ends = {str(trial.state) for trial in result.trials}
    failed = [trial.error for trial in result.trials if str(trial.state) == "FAILED"]
    assert ends <= {"COMPLETED", "STOPPED", "FAILED"}
    # an alarm may strike between the loop and its try, which is the objective's own fault
    assert all(error is not None and "Alarm" in error for error in failed)
    assert {1} == {trial.attempts for trial in result.trials}
    assert 0 == result.bus.fenced
    for trial in result.trials:
        levels = [record.resource for record in trial.rungs]
        assert sorted(set(levels)) == levels


def cleans_up_for_long(x: float) -> Iterator[float]:
    try:
        while True:
            yield x
    finally:
        time.sleep(13.0)


@pytest.mark.slow
def test_a_clean_up_that_takes_long_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="asha_bus.tidy"):
        result = ab.launch(
            cleans_up_for_long,
            SPACE,
            scheduler=ab.ASHA(max_resource=1),
            max_trials=2,  # the clean-up of the last one is cut short by the end of the run
            workers=1,
            engine="local",
            monitor=None,
            name="tidy",
        )
    assert 1 == sum("its clean-up still runs" in text for text in caplog.messages)
    assert ["COMPLETED"] * 2 == [str(trial.state) for trial in result.trials]
