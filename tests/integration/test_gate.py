"""Runs whose trials wait until the ends of those before them were seen; also a killed bus."""

from __future__ import annotations

import os
import signal
import threading

from support.processes import wait_until

import asha_bus as ab
from asha_bus.launching._launch import start_gated
from asha_bus.launching.arguments import LaunchArguments

SPACE = ab.Space(x=ab.uniform(0, 1))


def test_a_bus_that_is_killed_lets_no_trial_through() -> None:
    seen: list[int] = []
    was_killed = threading.Event()

    def after(trial: ab.TrialRecord) -> bool:
        seen.append(trial.id)
        if trial.id == 3:
            was_killed.wait(60)
        return trial.id == 6

    arguments = LaunchArguments(
        lambda x: x, SPACE, max_trials=50, engine="local", workers=1, monitor=None
    )
    run = start_gated(arguments, after)
    pid = run.bus_pid
    wait_until(lambda: 3 in seen)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: run.bus_pid != pid and run.status()["workers"] == 1)
    assert 4 == run.status()["trials"]
    was_killed.set()
    wait_until(lambda: 6 in seen)
    run.stop()
    assert [0, 1, 2, 3, 4, 5, 6] == seen
    assert 7 == len(run.result().trials)


def test_a_searcher_that_learns_knows_all_trials_before() -> None:
    class Counting(ab.Searcher):
        def suggest(self, branch: ab.Branch, history: object) -> tuple[float, ...]:
            ended = [trial for trial in history if trial.metric is not None]  # type: ignore[attr-defined]
            return (len(ended) / 100,)

    arguments = LaunchArguments(
        lambda x: x,
        SPACE,
        searcher=Counting(),
        max_trials=9,
        engine="local",
        workers=1,
        monitor=None,
    )
    result = start_gated(arguments, lambda trial: False).result()
    known = [round(trial.params["x"] * 100) for trial in result.trials]
    assert list(range(9)) == known
