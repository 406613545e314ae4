"""Paused trials that a worker cannot keep: saved by their own hooks, loaded later."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from support.loopback import SPACE, Loopback
from support.pausing import warnings_of

import asha_bus as ab
from asha_bus.core import messages as m
from asha_bus.core.trials import TrialTable
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter
from asha_bus.executor.pausing import PausingRunner
from asha_bus.executor.states import States
from asha_bus.testing.simulator import Bench

S = ab.TrialState
#: In its first rung up to three trials are paused at a time, of which a worker keeps one.
PLAN = ab.SuccessiveHalving([(2, 3), (2, 1), (4, 1)], max_resident=1)
EPOCHS = 6 * 2 + 3 * 2 + 1 * 4

Act = Callable[[ab.Trial, int], None]


class Model:
    """What a trial trains: it knows its epochs, and fails one that does not follow on."""

    def __init__(self, trained: Counter[tuple[int, int]], number: int) -> None:
        self._trained, self._number = trained, number
        self.epochs = 0

    def train(self, epoch: int) -> float:
        assert epoch == self.epochs + 1
        self.epochs = epoch
        self._trained[self._number, epoch] += 1
        return self._number / epoch

    def save(self, path: str) -> None:
        Path(path).write_text(json.dumps(self.epochs))

    def load(self, path: str) -> None:
        self.epochs = json.loads(Path(path).read_text())


class Case:
    """A run of one worker whose objective has hooks."""

    def __init__(self, folder: Path, scheduler: Any = PLAN, trials: int = 6, **run: Any) -> None:
        self.folder = folder
        self.trained: Counter[tuple[int, int]] = Counter()
        self.begun: list[tuple[int, float]] = []
        self.bench = Bench(scheduler=scheduler, max_trials=trials, saves=str(folder), **run)
        self.table: TrialTable = self.bench.experiment.table
        self.counters = self.bench.experiment.counters

    def objective(self, trial: ab.Trial) -> None:
        model = Model(self.trained, trial.id)
        self.begun.append((trial.id, self.checkpoint(trial, model)))
        for step in trial:
            trial.report(model.train(step + 1), name=f"epoch {step + 1}")

    def checkpoint(self, trial: ab.Trial, model: Model) -> float:
        return trial.checkpoint(model.save, model.load)

    def run(self, *, states: bool = True) -> Case:
        client = cast(Client, Loopback(self.bench))
        where = States(str(self.folder)) if states else None
        PausingRunner(client, Interrupter(), self.objective, SPACE, states=where).run()
        return self

    @property
    def files(self) -> list[str]:
        """What is left of saved states."""
        return sorted(path.name for path in self.folder.glob("*"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "states"


@pytest.mark.parametrize(
    ("scheduler", "trials"),
    [
        (PLAN, 6),
        (ab.SuccessiveHalving.classic(9, 1, 3, max_resident=1), 9),
        (ab.Hyperband.classic(9, 3, max_resident=1), None),
    ],
)
def test_each_epoch_of_a_plan_is_trained_once_though_trials_are_dropped(
    folder: Path, scheduler: Any, trials: int | None
) -> None:
    case = Case(folder, scheduler, trials or scheduler.configurations).run()
    kept = Case(folder, scheduler_without_limit(scheduler), trials or scheduler.configurations)
    assert kept.run().trained == case.trained
    assert {1} == set(case.trained.values())
    assert case.counters.saved > 0 and case.counters.loaded > 0
    assert 0 == case.counters.retrained
    assert sum(case.trained.values()) == case.table.spent
    assert {S.COMPLETED, S.STOPPED} == set(case.bench.states())
    assert ([], []) == (warnings_of(case.bench), case.files)


def test_steps_from_zero_continue_after_loading(folder: Path) -> None:
    case = Case(folder)

    def objective(trial: ab.Trial) -> None:
        model = Model(case.trained, trial.id)
        case.checkpoint(trial, model)
        for step in trial:
            trial.report(model.train(step + 1), step)

    client = cast(Client, Loopback(case.bench))
    states = States(str(folder))
    PausingRunner(client, Interrupter(), objective, SPACE, states=states).run()
    assert ({1}, EPOCHS) == (set(case.trained.values()), sum(case.trained.values()))
    assert case.counters.loaded > 0
    assert [] == warnings_of(case.bench)


def scheduler_without_limit(scheduler: Any) -> Any:
    from dataclasses import replace

    return replace(scheduler, max_resident=None)


def test_promotions_load_what_was_dropped(folder: Path) -> None:
    case = Case(folder, ab.PromotionASHA(27, max_resident=1), 30)
    case.run()
    assert {1} == set(case.trained.values())
    assert case.counters.loaded > 0
    assert 0 == case.counters.retrained


def test_without_hooks_what_was_dropped_is_trained_again(folder: Path) -> None:
    case = Case(folder)
    case.checkpoint = lambda trial, model: 0.0  # type: ignore[method-assign]
    case.run()
    assert (0, 0) == (case.counters.saved, case.counters.loaded)
    assert case.counters.retrained == sum(case.trained.values()) - EPOCHS > 0
    assert ([], []) == (warnings_of(case.bench), case.files)


def test_a_loaded_trial_begins_where_it_was_saved(folder: Path) -> None:
    case = Case(folder).run()
    again = [(number, resource) for number, resource in case.begun if resource > 0]
    assert len(again) == case.counters.loaded
    assert {2, 4} >= {resource for _, resource in again}
    rungs = [record for trial in case.table.trials for record in trial.rungs]
    assert [6, 3, 1] == [sum(each.rung == rung for each in rungs) for rung in range(3)]


def test_a_loaded_trial_knows_its_best_metric_its_extras_and_its_curve(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gets_worse(model: Model, epoch: int) -> float:
        return train(model, epoch) * epoch + epoch

    train = Model.train
    monkeypatch.setattr(Model, "train", gets_worse)
    case = Case(folder, curves=True).run()
    assert case.counters.loaded > 0
    for trial in case.table.trials:
        assert trial.id + 1 == trial.best_metric
        assert {"name": f"epoch {trial.resource}"} == trial.extras
        between = [epoch for epoch in range(1, int(trial.resource)) if epoch not in (2, 4)]
        assert between == [resource for resource, _ in trial.curve]


def test_an_attempt_that_ends_after_loading_has_the_metric_of_what_it_loaded(folder: Path) -> None:
    case = Case(folder)
    objective = case.objective

    def ends_once_loaded(trial: ab.Trial) -> None:
        model = Model(case.trained, trial.id)
        if case.checkpoint(trial, model) == 0:
            trial._hooks = None  # type: ignore[attr-defined]
            objective(trial)

    case.objective = ends_once_loaded  # type: ignore[method-assign]
    case.run()
    assert case.counters.loaded > 0
    assert {S.COMPLETED, S.STOPPED} == set(case.bench.states())
    for trial in case.table.trials:
        assert trial.metric == trial.rungs[-1].metric
        assert {"name": f"epoch {trial.resource}"} == trial.extras


# --- what fails ---------------------------------------------------------------


#: What a hook may raise: a command-line tool that is called in it exits.
RAISED = [OSError("disk full"), SystemExit("disk full"), KeyboardInterrupt("disk full")]


@pytest.mark.parametrize("error", RAISED)
def test_a_save_that_raises_is_warned_of_and_the_trial_trained_again(
    folder: Path, error: BaseException
) -> None:
    case = Case(folder)

    def fails(path: str) -> None:
        Path(path).write_text("half")
        raise error

    case.checkpoint = lambda trial, model: trial.checkpoint(fails, model.load)  # type: ignore[method-assign]
    case.run()
    assert (0, 0) == (case.counters.saved, case.counters.loaded)
    assert case.counters.retrained == sum(case.trained.values()) - EPOCHS > 0
    said = warnings_of(case.bench)
    assert said
    assert all("could not be saved" in text and "disk full" in text for _, text in said)
    assert not any("pausing.py" in text for _, text in said)  # the user's frames alone
    assert [] == case.files
    assert {S.COMPLETED, S.STOPPED} == set(case.bench.states())


def test_a_save_that_writes_nothing_is_warned_of(folder: Path) -> None:
    case = Case(folder)
    case.checkpoint = lambda trial, model: trial.checkpoint(str, model.load)  # type: ignore[method-assign]
    case.run()
    assert 0 == case.counters.saved
    assert all("wrote nothing" in text for _, text in warnings_of(case.bench))
    assert warnings_of(case.bench)


@pytest.mark.parametrize("error", RAISED)
def test_a_load_that_raises_is_warned_of_and_the_trial_trained_again(
    folder: Path, error: BaseException
) -> None:
    case = Case(folder)

    def fails(path: str) -> None:
        raise error

    case.checkpoint = lambda trial, model: trial.checkpoint(model.save, fails)  # type: ignore[method-assign]
    case.run()
    assert case.counters.loaded > 0
    assert case.counters.retrained == sum(case.trained.values()) - EPOCHS > 0
    said = warnings_of(case.bench)
    assert case.counters.loaded == len(said)
    assert all("could not be loaded" in text and "disk full" in text for _, text in said)
    assert not any("pausing.py" in text for _, text in said)  # the user's frames alone
    assert [] == case.files
    assert {S.COMPLETED, S.STOPPED} == set(case.bench.states())


def test_a_state_that_is_gone_is_warned_of_and_the_trial_trained_again(folder: Path) -> None:
    case = Case(folder)

    def save_and_lose(model: Model, path: str) -> None:
        model.save(path)
        lost.append(Path(path).parent)

    lost: list[Path] = []

    def checkpoint(trial: ab.Trial, model: Model) -> float:
        for each in lost:
            (each / "progress.json").unlink(missing_ok=True)
        return trial.checkpoint(lambda path: save_and_lose(model, path), model.load)

    case.checkpoint = checkpoint  # type: ignore[method-assign]
    case.run()
    assert case.counters.retrained > 0
    assert all("FileNotFoundError" in text for _, text in warnings_of(case.bench))
    assert {S.COMPLETED, S.STOPPED} == set(case.bench.states())


@pytest.mark.parametrize("reports", [True, False])
def test_an_objective_that_does_not_load_is_trained_from_the_start(
    folder: Path, reports: bool
) -> None:
    case = Case(folder)
    calls: Counter[int] = Counter()
    objective = case.objective

    def forgetful(trial: ab.Trial) -> None:
        calls[trial.id] += 1
        if calls[trial.id] != 2:
            objective(trial)
        elif reports:
            trial.report(0.0)
            raise AssertionError("unreachable")

    case.objective = forgetful  # type: ignore[method-assign]
    case.run()
    assert {S.COMPLETED, S.STOPPED} == set(case.bench.states())
    assert case.counters.loaded > 0
    said = warnings_of(case.bench)
    assert said and all("before it called trial.checkpoint()" in text for _, text in said)
    assert all(metric > 0 for trial in case.table.trials for _, metric in trial.curve)


def test_a_failed_attempt_is_restarted_without_the_state_that_it_loaded(folder: Path) -> None:
    case = Case(folder, retries=1)
    objective, failed = case.objective, set()

    def fails_once_loaded(trial: ab.Trial) -> None:
        model = Model(case.trained, trial.id)
        if case.checkpoint(trial, model) > 0 and trial.id not in failed:
            failed.add(trial.id)
            raise ValueError("a broken state")
        trial._hooks = None  # type: ignore[attr-defined]
        objective(trial)

    case.objective = fails_once_loaded  # type: ignore[method-assign]
    case.run()
    assert failed
    assert {S.COMPLETED, S.STOPPED} == set(case.bench.states())
    assert len(failed) == case.counters.failed_attempts


def test_in_a_run_without_a_folder_it_is_reported_once(folder: Path) -> None:
    case = Case(folder).run(states=False)
    assert [0] == [trial for trial, text in warnings_of(case.bench) if "artifacts=" in text]
    assert 0 == case.counters.saved


def test_what_an_earlier_launch_left_is_replaced(folder: Path) -> None:
    for number in range(6):
        (folder / f"trial-{number}-1").mkdir(parents=True)
        (folder / f"trial-{number}-1" / "state").write_text("99")
    case = Case(folder).run()
    assert {1} == set(case.trained.values())
    assert case.counters.loaded > 0
    assert [] == warnings_of(case.bench)


# --- the use of the hooks -----------------------------------------------------


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda trial: trial.checkpoint(1, print), "save must be a function that takes a path"),
        (lambda trial: trial.checkpoint(print, "x"), "load must be a function that takes a path"),
        (lambda trial: [trial.checkpoint(print, print) for _ in "ab"], "was called twice"),
        (
            lambda trial: trial.report(1.0) and trial.checkpoint(print, print),
            "after the report at resource 1",
        ),
    ],
)
def test_a_wrong_use_fails_the_trial(folder: Path, use: Any, text: str) -> None:
    case = Case(folder, trials=6)
    case.objective = use  # type: ignore[method-assign]
    case.run()
    error = case.table[0].error
    assert error is not None and "ObjectiveError" in error and text in error


def test_a_save_may_log_and_report_and_read_the_trial(folder: Path) -> None:
    case = Case(folder)
    seen: list[Any] = []

    def checkpoint(trial: ab.Trial, model: Model) -> float:
        def save(path: str) -> None:
            trial.log("saving")
            seen.append((trial.report(5.0), trial.should_stop, trial.resource))
            model.save(path)

        return trial.checkpoint(save, model.load)

    case.checkpoint = checkpoint  # type: ignore[method-assign]
    case.run()
    assert case.counters.saved == len(seen)
    assert {(False, True)} == {each[:2] for each in seen}
    assert {1} == set(case.trained.values())


# --- memory -------------------------------------------------------------------


def test_what_is_dropped_for_lack_of_memory_is_saved(folder: Path) -> None:
    scheduler = ab.SuccessiveHalving([(2, 3), (2, 1), (4, 1)])
    case = Case(folder, scheduler)
    objective, tried = case.objective, Counter[int]()

    def needs_memory(trial: ab.Trial) -> None:
        tried[trial.id] += 1
        if trial.id == 5 and tried[5] == 1:
            raise MemoryError
        objective(trial)

    case.objective = needs_memory  # type: ignore[method-assign]
    case.run()
    assert {1} == set(case.trained.values())
    assert case.counters.loaded > 0
    assert 0 == case.counters.retrained
    assert [] == case.files


def test_what_a_worker_cannot_save_any_more_is_trained_again(folder: Path) -> None:
    """It had dropped the trial by itself, and its word was lost on the way."""
    case = Case(folder, trials=6)
    client = Loopback(case.bench)
    carry = client._carry
    client._carry = lambda message: (  # type: ignore[method-assign]
        None if isinstance(message, m.Dropped) else carry(message)
    )
    objective, tried = case.objective, Counter[int]()

    def needs_memory(trial: ab.Trial) -> None:
        tried[trial.id] += 1
        if trial.id == 1 and tried[1] == 1:
            raise MemoryError
        objective(trial)

    runner = PausingRunner(cast(Client, client), Interrupter(), needs_memory, SPACE)
    runner.run()
    assert {S.COMPLETED, S.STOPPED} == set(case.bench.states())
    assert 0 == case.counters.saved
