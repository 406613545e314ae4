"""Functions that stop trials and the run, in their own process beside real runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import hooks, objectives
from support.processes import children_of, is_alive, unreaped_of, wait_until
from support.programs import start_program

import asha_bus as ab
from asha_bus.core.trial import TrialState
from asha_bus.driver import hook_process

#: The command line of the hooks' process has it.
PROCESS = hook_process.__name__
SPACE = {"x": ab.uniform(0, 1)}
ENDED = (TrialState.STOPPED, TrialState.COMPLETED)


def run(objective: Any = objectives.slope, launch: Any = ab.launch, **arguments: Any) -> Any:
    """Launch on two local workers, quietly."""
    given = {"engine": "local", "workers": 2, "monitor": None, "seed": 7, "max_trials": 30}
    return launch(objective, SPACE, **{**given, **arguments})


def hook_process_of(pid: int = os.getpid()) -> int | None:
    found = children_of(pid, PROCESS)
    return found[0] if found else None


@pytest.mark.parametrize("searcher", [None, ab.TPE(n_startup=5)], ids=["random", "TPE"])
def test_trials_are_stopped_at_their_next_report(searcher: Any, tmp_path: Path) -> None:
    # all continue at the rungs, as the first n of each do
    result = run(
        objectives.slope_that_waits,
        scheduler=ab.ASHA(27, quorum=1_000),
        stop_trial=hooks.Above(1.5, tmp_path),
        max_trials=12,
        searcher=searcher,
    )
    assert ("max_trials", 12) == (result.reason, len(result.trials))
    stopped = [trial for trial in result.trials if trial.params["x"] > 0.5]
    assert stopped
    for trial in result.trials:
        if trial in stopped:  # it waits for that after the first rung
            assert TrialState.STOPPED is trial.state
            assert 1 < trial.resource <= 3  # at the next rung if the order to ask was lost
            assert "continue" == trial.rungs[-1].verdict
            words = f"trial {trial.id} ended STOPPED by stop_trial at resource"
            assert words in result.explain(trial.id)
        else:
            assert (TrialState.COMPLETED, 27) == (trial.state, trial.resource)
    assert 1 == len(list(tmp_path.glob("asked-*")))
    lines = hooks.asked(tmp_path)
    assert len(set(lines)) == len(lines)  # once for each entry
    assert {trial.id for trial in result.trials} == {int(line.split()[0]) for line in lines}
    assert not unreaped_of(os.getpid())


def test_trials_that_have_paused_are_stopped_at_once(tmp_path: Path) -> None:
    result = run(
        objectives.slow_slope, scheduler=ab.PromotionASHA(9), stop_trial=hooks.Above(1.5, tmp_path)
    )
    assert "max_trials" == result.reason
    stopped = [trial for trial in result.trials if trial.params["x"] > 0.5]
    assert {TrialState.STOPPED} == {trial.state for trial in stopped}
    assert "PAUSED" in {line.split()[2] for line in hooks.asked(tmp_path)}


def test_a_run_ends_when_stop_run_says_so(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    given = {"scheduler": ab.ASHA(9), "max_trials": 10_000, "journal": journal}
    result = run(objectives.slow_slope, stop_run=hooks.After(10, tmp_path), **given)
    assert "stop_run" == result.reason
    ended = [trial for trial in result.trials if trial.state in ENDED]
    assert 10 <= len(ended) < 100
    last = hooks.asked(tmp_path, "summaries")[-1]
    assert "resource=" in last and "workers=2" in last and "best_params={'x': " in last
    told = ab.Result.from_journal(journal, result.space)
    assert ("stop_run", result.trials) == (told.reason, told.trials)
    more = run(
        objectives.slow_slope, stop_run=hooks.After(len(ended) + 10, tmp_path), resume=True, **given
    )
    assert "stop_run" == more.reason
    assert len([trial for trial in more.trials if trial.state in ENDED]) >= len(ended) + 10
    given["max_trials"] = len(more.trials) + 3
    last = run(objectives.slow_slope, resume=True, **given)
    assert ("max_trials", len(more.trials) + 3) == (last.reason, len(last.trials))


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        ({"stop_trial": hooks.divides}, "stop_trial for trial .* raised ZeroDivisionError"),
        ({"stop_run": hooks.forgets}, "stop_run must return True or False, got None"),
        ({"stop_run": lambda summary: summary.nothing}, "stop_run raised AttributeError"),
    ],
)
def test_a_hook_that_raises_ends_the_run_with_what_there_is(hook: Any, words: str) -> None:
    result = run(objectives.slow_slope, scheduler=ab.ASHA(9), max_trials=10_000, **hook)
    assert "failed" == result.reason
    assert result.trials
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(result.message)
    if "divides" in str(hook):
        assert "in divides" in result.message  # the traceback


def test_a_hook_that_ends_its_process_again_and_again_is_given_up() -> None:
    result = run(
        objectives.slow_slope, scheduler=ab.ASHA(9), max_trials=10_000, stop_trial=hooks.dies
    )
    assert "failed" == result.reason
    assert "stop_trial's process ended with status 3, 6 times in a row" in result.message


def test_a_hook_that_hangs_delays_nobody() -> None:
    result = run(scheduler=ab.ASHA(9), max_trials=100, stop_run=hooks.hangs)
    assert ("max_trials", 100) == (result.reason, len(result.trials))
    assert hook_process_of() is None


def test_a_hook_is_not_called_here_nor_in_the_bus(tmp_path: Path) -> None:
    run_ = run(
        objectives.slow_slope,
        ab.start,
        scheduler=ab.ASHA(9),
        stop_trial=hooks.Above(1e9, tmp_path),
        max_trials=10_000,
    )
    wait_until(lambda: bool(hooks.asked(tmp_path)))
    (noted,) = tmp_path.glob("asked-*")
    assert int(noted.name.split("-")[1]) == hook_process_of() != run_.bus_pid
    run_.stop()
    run_.result(timeout=60)


def waits_for(folder: str) -> Iterator[float]:
    """Reports at a rung, and then nothing until it may go on, with steps of 20 ms."""
    for value in objectives.slow_slope(1.0):
        yield value
        wait_until(lambda: os.path.exists(f"{folder}/go"))


@pytest.mark.parametrize("victim", ["hooks", "bus", "both"])
def test_no_verdict_is_lost_with_a_process(victim: str, tmp_path: Path) -> None:
    """Each trial stands at its first rung while the processes die that are to stop it."""
    run_ = ab.start(
        waits_for,
        {"folder": str(tmp_path)},
        engine="local",
        workers=2,
        monitor=None,
        repeats=2,
        scheduler=ab.ASHA(81, quorum=100),
        stop_trial=hooks.Above(0.5, tmp_path),
    )
    wait_until(lambda: len(hooks.asked(tmp_path)) == 2)
    bus, its = run_.bus_pid, hook_process_of()
    if victim != "hooks":
        os.kill(bus, signal.SIGKILL)
    if victim != "bus":
        assert its is not None
        os.kill(its, signal.SIGKILL)
        wait_until(lambda: hook_process_of() not in (None, its))
    if victim != "hooks":
        wait_until(lambda: run_.bus_pid != bus)
    (tmp_path / "go").touch()
    result = run_.result(timeout=60)
    assert [TrialState.STOPPED] * 2 == [trial.state for trial in result.trials]
    assert all(trial.resource < 81 for trial in result.trials)
    assert {1} == {trial.attempts for trial in result.trials}


def test_a_journal_of_stopped_trials_is_resumed(tmp_path: Path) -> None:
    given = {"scheduler": ab.ASHA(9, quorum=1_000), "journal": tmp_path / "journal"}
    hook = hooks.Above(1.5, tmp_path)
    first = run(objectives.slope_that_waits, stop_trial=hook, max_trials=8, **given)
    told = ab.Result.from_journal(tmp_path / "journal", first.space)
    assert first.trials == told.trials
    more = run(objectives.slope_that_waits, stop_trial=hook, max_trials=16, resume=True, **given)
    assert first.trials == more.trials[:8]
    for trial in more.trials:
        assert (trial.params["x"] > 0.5) == (trial.state is TrialState.STOPPED)


def test_a_hook_that_cannot_be_sent_is_refused_at_launch() -> None:
    lock = threading.Lock()
    with pytest.raises(ab.InvalidArgument, match="stop_trial cannot be sent"):
        run(stop_trial=lambda history: lock.locked())
    assert not unreaped_of(os.getpid())


PROGRAM = """
    import asha_bus as ab
    from support import hooks, objectives

    if __name__ == "__main__":
        ab.launch(
            objectives.slow_slope, {"x": ab.uniform(0, 1)}, engine="local", workers=1,
            max_time=500, monitor=None, scheduler=ab.ASHA(9), stop_run=hooks.hangs,
        )
"""


def test_a_hook_that_hangs_ends_with_its_driver(tmp_path: Path) -> None:
    with start_program(tmp_path, PROGRAM) as program:
        wait_until(lambda: bool(children_of(program.pid, PROCESS)))
        (pid,) = children_of(program.pid, PROCESS)
        program.kill()
        program.wait()
        wait_until(lambda: not is_alive(pid))
