"""Learning curves of real runs, which are kept unless that was switched off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import asha_bus as ab

SPACE = {"x": ab.uniform(0, 1)}


def nine(x: float) -> Iterator[float]:
    """Nine steps in no time."""
    for step in range(1, 10):
        yield x + 1 / step


def thousand(x: float) -> Iterator[float]:
    """A thousand steps in a few milliseconds."""
    for step in range(1, 1_001):
        yield x + 1 / step


def with_extras(trial: ab.Trial) -> None:
    """Extras of several types, one of which comes later."""
    for step in range(1, 6):
        later = {"later": step} if step > 3 else {}
        trial.report(1 / step, note="text", lr=0.5**step, **later)


def run(objective: Any, **arguments: Any) -> ab.Result:
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7, "max_trials": 8}
    return ab.launch(objective, SPACE, **{**settings, **arguments})


def test_short_trials_keep_and_count_all_reports(tmp_path: Path) -> None:
    journal = tmp_path / "run.journal"
    result = run(nine, journal=journal)
    read = ab.Result.from_journal(journal)
    for trial in (*result.trials, *read.trials):
        expected = tuple((step, trial.params["x"] + 1 / step) for step in range(1, 10))
        assert expected == trial.curve
    assert [8 * 9, 8 * 9] == [result.bus.reports, read.bus.reports]


def test_reports_between_rungs_are_counted_once() -> None:
    result = run(nine, scheduler=ab.ASHA(9, min_resource=3), workers=1)
    reached = sum(int(trial.resource) for trial in result.trials)
    assert reached == result.bus.reports
    for trial in result.trials:
        assert list(range(1, int(trial.resource) + 1)) == [at for at, _ in trial.curve]


def test_long_curves_are_thinned_out_evenly(tmp_path: Path) -> None:
    journal = tmp_path / "run.journal"
    result = run(thousand, journal=journal)
    assert 8 * 1_000 == result.bus.reports
    for trial in result.trials:
        places = [at for at, _ in trial.reports]
        assert 100 <= len(places) <= 200
        assert places[0] == 1 and places[-1] > 950
    read = ab.Result.from_journal(journal)
    assert [trial.reports for trial in result.trials] == [trial.reports for trial in read.trials]
    assert journal.stat().st_size < 8 * 15_000


def test_numeric_extras_have_curves() -> None:
    for trial in run(with_extras).trials:
        assert {"lr", "later"} == set(trial.extra_curves)
        assert tuple((step, 0.5**step) for step in range(1, 6)) == trial.extra_curves["lr"]
        assert ((4, 4), (5, 5)) == trial.extra_curves["later"]


def test_curves_can_be_switched_off(tmp_path: Path) -> None:
    journal = tmp_path / "run.journal"
    result = run(nine, curves=False, journal=journal)
    assert 8 * 9 == result.bus.reports
    assert {()} == {trial.reports for trial in result.trials}
    kept = tmp_path / "kept.journal"
    run(nine, journal=kept)
    assert journal.stat().st_size < kept.stat().st_size


def test_the_old_option_names_the_new_one() -> None:
    with pytest.raises(ab.InvalidArgument, match=r"takes no 'curves'; use launch\(curves=...\)"):
        ab.BusOptions(curves=True)  # type: ignore[call-arg]


def dips(trial: ab.Trial) -> None:
    """The best one of its reports is the third one."""
    for step in (0.5, 1.5, 2.5, 3.5, 7):
        if not trial.report(trial.params["x"] + abs(step - 2.5), resource=step):
            break


@pytest.mark.parametrize("scheduler", [None, ab.ASHA(7, min_resource=7)])
def test_the_report_of_the_best_metric_is_known_without_curves(
    scheduler: ab.Scheduler | None, tmp_path: Path
) -> None:
    journal = tmp_path / "run.journal"
    result = run(dips, scheduler=scheduler, curves=False, journal=journal)
    for trial in (*result.trials, *ab.Result.from_journal(journal).trials):
        assert (trial.params["x"], 2.5, 7) == (
            *(trial.best_metric, trial.best_resource),
            trial.resource,
        )
    assert [2.5] * 8 == list(result.to_pandas()["best_resource"])
