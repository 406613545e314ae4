"""The leader that the table keeps, against a look at all trials."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from asha_bus.core import messages as m
from asha_bus.core.trial import RungRecord, Trial, TrialState
from asha_bus.core.trials import TrialTable, leading

S = TrialState

#: Few distinct numbers, so that ties are common.
METRICS = st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan, math.inf])
#: What the trial of a worker does: it enters its next rung, or ends.
ACTIONS = st.sampled_from(["rung", "rung", "rung", S.STOPPED, S.COMPLETED, S.FAILED, "again"])


@given(
    st.lists(st.tuples(st.integers(0, 3), ACTIONS, METRICS), max_size=60),
    st.sampled_from(["min", "max"]),
    st.integers(1, 3),
)
def test_the_leader_is_the_best_of_all(
    steps: list[tuple[int, str, float]], mode: str, repeats: int
) -> None:
    table = TrialTable(mode)
    running: dict[int, Trial] = {}
    for worker, action, metric in steps:
        trial = running.get(worker)
        if trial is None:
            trial = running[worker] = begin(table, repeats)
        if action == "again":
            table.requeue(trial)
            table.queue.remove(trial.id)
            table.run(trial, "w", 0.0)
        else:
            report(table, trial, action, metric)
            if trial.state is not S.RUNNING:
                del running[worker]
        firsts = [one for one in table.trials if not one.repeat]
        best = leading([one.siblings or [one] for one in firsts], mode)
        leader = table.leader
        assert (best is None) == (leader is None)
        if best is not None and leader is not None:
            found = leading([leader.siblings or [leader]], mode)
            assert found is not None and best.rank(mode) == found.rank(mode)  # one of the equals


def begin(table: TrialTable, repeats: int) -> Trial:
    number = len(table)
    trial = Trial(number, (), 0, repeat=number % repeats)
    if repeats > 1:
        siblings = table[number - 1].siblings if trial.repeat else []
        assert siblings is not None
        trial.siblings = siblings
        siblings.append(trial)
    table.add(trial, 0.0)
    table.run(trial, "w", 0.0)
    return trial


def report(table: TrialTable, trial: Trial, action: str, metric: float) -> None:
    level = 3.0 ** len(trial.rungs)
    message = m.Report(1, trial.id, 1, max(level, trial.resource), metric, None, {}, 0.0)
    table.note(trial, message, message.resource, metric)
    if action == S.COMPLETED or action == S.FAILED:
        table.finish(trial, S(action), 0.0)
        return
    verdict = "stop" if action == S.STOPPED else "continue"
    table.enter(trial, (RungRecord(len(trial.rungs), level, metric, 1, 1, None, verdict),))
    if action == S.STOPPED:
        table.finish(trial, S.STOPPED, 0.0)
    else:
        table.consider(trial)
