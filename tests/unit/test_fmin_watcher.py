"""When a trial of an `fmin` ends the run, and what early_stop_fn may return."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from support.results import SPACE, make_trial

import asha_bus as ab
from asha_bus.hyperopt.watcher import Watcher


class Undecided:
    """Is neither true nor false."""

    def __bool__(self) -> bool:
        raise KeyboardInterrupt("neither")


@pytest.mark.parametrize("answer", [(np.array([0, 1]), []), (Undecided(), []), None, (True,), 5])
def test_an_answer_that_is_none_ends_the_run_with_its_error(answer: Any) -> None:
    watcher = Watcher(ab.Trials(), SPACE, lambda trials: answer, raises=True)
    assert watcher.after(make_trial(0))
    assert watcher.after(make_trial(1))
    assert isinstance(watcher._error, (ValueError, TypeError, KeyboardInterrupt))


def test_a_trial_that_has_not_ended_is_not_asked_about() -> None:
    asked: list[int] = []

    def ask(trials: Any) -> tuple[bool, list[Any]]:
        asked.append(len(trials))
        return False, []

    watcher = Watcher(ab.Trials(), SPACE, ask, raises=True)
    for state in (ab.TrialState.RUNNING, ab.TrialState.PAUSED, ab.TrialState.COMPLETED):
        assert not watcher.after(make_trial(0, state))
    assert [1] == asked
