"""The study: Optuna's front door, with a run behind it."""

from __future__ import annotations

import logging
import os
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, NoReturn

import optuna
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from asha_bus import launch
from asha_bus.core.checks import Rule, check, check_names, shortened, whole
from asha_bus.core.errors import InvalidArgument, SearcherError
from asha_bus.core.schedulers import AskPruner
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import Space, uniform
from asha_bus.core.tracebacks import raises_short
from asha_bus.core.trial import FINAL, TrialState
from asha_bus.formats.named import BY_NAME
from asha_bus.launching._launch import start_gated
from asha_bus.launching.arguments import LaunchArguments
from asha_bus.launching.run import Run, search_failure_of, wait_for
from asha_bus.monitors.choice import as_monitors
from asha_bus.monitors.mlflow import MLflowMonitor
from asha_bus.objective.kinds import refuse_inside
from asha_bus.optuna.filling import Filling, FillsAsTrialsEnd
from asha_bus.optuna.objective import DefineByRun
from asha_bus.optuna.schedulers import scheduler_of
from asha_bus.optuna.searcher import DefineByRunSearcher
from asha_bus.results.result import AllTrialsFailed, Result

logger = logging.getLogger("asha_bus")

#: Where the engine is named for a program that is left as it is.
ENGINE_VARIABLE = "ASHA_BUS_ENGINE"

#: Arguments of `asha_bus.launch` that a study gives itself, and what to use in their place.
_INSTEAD = {
    "space": "trial.suggest_float(...) and others in the objective",
    "searcher": "create_study(sampler=...)",
    "mode": "create_study(direction=...)",
    "engine": "create_study(engine=...)",
    "spark": "create_study(spark=...)",
    "max_trials": "n_trials",
    "max_time": "timeout",
    "workers": "n_jobs",
    "repeats": "n_trials",
    "initial": "study.enqueue_trial(...)",
    "unique": "a sampler that does not repeat itself",
    "history": "study.add_trials(...)",
    "max_failures": "catch",
    "fail_fast": "catch",
    "block": "asha_bus.start(...) for a Run at once",
}

#: The studies that use a sampler.
_owners: weakref.WeakKeyDictionary[Any, weakref.ref[Study]] = weakref.WeakKeyDictionary()
_ENGINE = Rule("'spark' or 'local'", lambda value: value in ("spark", "local"), (str,))


class Study(optuna.Study):
    """A study of Optuna whose trials run on Spark, or in processes of this machine.

    `create_study` makes one. After `optimize` it is what it is in Optuna: ``best_params``,
    ``best_trial``, ``trials_dataframe()`` and ``optuna.visualization`` work. ``result`` is the
    `Result` of the last run, with charts, a report, and the reason for each stop.
    """

    #: The last run; None before.
    result: Result | None = None
    #: What writes the last run to MLflow; None: nothing does.
    mlflow: MLflowMonitor | None = None
    #: Makes that of the next run.
    _make_mlflow: Callable[[], MLflowMonitor] | None = None
    _engine: str = "spark"
    _spark: Any = None
    _is_running = False
    #: Whether it has said that its pruner is asked in the searcher's process.
    _has_said = False
    #: The trials that callbacks have added.
    _later: list[FrozenTrial]

    def optimize(
        self,
        func: Callable[..., Any],
        n_trials: int | None = None,
        timeout: float | None = None,
        n_jobs: int | None = None,
        catch: Iterable[type[Exception]] | type[Exception] = (),
        callbacks: Iterable[Callable[[optuna.Study, FrozenTrial], None]] | None = None,
        gc_after_trial: bool = False,
        show_progress_bar: bool = False,
        **options: Any,
    ) -> None:
        """Run an objective written for Optuna, which is left as it is.

        Args:
            func: The objective, which gets a trial. It runs in another process.
            n_trials: The number of trials. Default None: until ``timeout`` (seconds), or until a
                callback calls ``study.stop()``.
            timeout: The run ends after this many seconds, and trials that still run end at
                their next report. Default None: no limit.
            n_jobs: How many trials run at a time. Default None, and -1: as many as there are
                task slots of Spark, or processors.
            catch: Exceptions of the objective after which the study continues. Default ``()``:
                the first one is raised here.
            callbacks: Functions that get the study and each trial that has ended, here. No
                worker gets its next trial before that. Default None.
            gc_after_trial: Changes nothing.
            show_progress_bar: True shows one line with the progress. Default False.
            options: Further arguments of `asha_bus.launch`, such as ``scheduler``, ``data``,
                ``journal``, ``monitor`` or ``page``.

        Raises:
            InvalidArgument: An argument is wrong; the message names it. Nothing was started.
            SearcherError: The sampler raised.

            Also what the objective and the callbacks raise, and what `asha_bus.launch` raises.

        Example:
            ::

                study = create_study(direction="minimize")
                study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=50)
                print(study.best_params)
        """
        refuse_inside("optimize")
        own = signature(self.optimize).parameters
        check_names("optimize()", options, {**own, **signature(launch).parameters}, _INSTEAD)
        if not callable(func):
            raise InvalidArgument(f"func must be a function, got {shortened(func)}")
        if self._is_running:
            raise RuntimeError("Nested invocation of `Study.optimize` method isn't allowed.")
        if n_trials is not None:
            check("n_trials", n_trials, whole(0))
        workers = None if n_jobs in (None, -1) else n_jobs
        if workers is not None:
            check("n_jobs", workers, whole(1))
        kinds = (catch,) if isinstance(catch, type) else tuple(catch)
        self._stop_flag = False
        if n_trials == 0:
            return
        before = self.get_trials(deepcopy=True)
        waiting = [trial for trial in before if trial.state is OptunaState.WAITING]
        scheduler = options.get("scheduler") or scheduler_of(self.pruner)
        asks = isinstance(scheduler, AskPruner)
        if isinstance(scheduler, AskPruner) and not self._has_said:
            self._has_said = True
            logger.warning(
                "%s is asked in the searcher's process at each should_prune(), which takes two "
                "round trips and its own time; the bus itself decides for SuccessiveHalvingPruner, "
                "HyperbandPruner, MedianPruner and NopPruner (see pruner_asked in Result.bus)",
                scheduler.pruner,
            )
        is_random = type(self.sampler) is optuna.samplers.RandomSampler
        objective = DefineByRun(
            func,
            study_name=self.study_name,
            direction=self.direction,
            catch=kinds,
            fixed=[trial.system_attrs.get("fixed_params", {}) for trial in waiting],
            numbers=[trial.number for trial in waiting],
            first=len(before),
            is_random=is_random,
            asks=asks,
        )
        searcher = (
            RandomSearch()
            if is_random and not asks
            else DefineByRunSearcher(
                self.sampler,
                self.direction,
                before,
                draws=not is_random,
                pruner=self.pruner if asks else None,
                study_name=self.study_name,
            )
        )
        settings: dict[str, Any] = {
            "monitor": "progress" if show_progress_bar else None,
            **options,
            "scheduler": scheduler,
        }
        if self._make_mlflow is not None:
            self.mlflow = self._make_mlflow()
            settings["monitor"] = [*as_monitors(settings["monitor"]), self.mlflow]
        # Where nobody has to see a trial's end before the next one begins, workers go on at once,
        # which saves a way to this process and back for each trial.
        is_gated = bool(callbacks or kinds or not is_random or "journal" in options)
        ended = _ended(options)
        if is_random and ended is None:  # a run that is resumed has a seed already
            settings.setdefault("seed", _seed_of(self.sampler))
        limit = sys.maxsize if n_trials is None and timeout is None else n_trials
        filling = Filling(
            self,
            [trial._trial_id for trial in waiting],
            list(callbacks or ()),
            ended or (),
            is_gated=is_gated,
        )
        if not is_gated:
            shown = as_monitors(settings["monitor"])
            settings["monitor"] = [*shown, FillsAsTrialsEnd(filling)]
        arguments = LaunchArguments(
            objective,
            Space({BY_NAME: uniform(0.0, 1.0)}),
            mode="min" if self.direction is optuna.study.StudyDirection.MINIMIZE else "max",
            searcher=searcher,
            max_trials=limit,
            max_time=timeout,
            engine=self._engine,  # type: ignore[arg-type]
            spark=self._spark,
            workers=workers,
            max_failures=sys.maxsize,
            fail_fast=not is_gated,
            **settings,
        )
        self._is_running, self._later = True, []
        try:
            run = start_gated(arguments, filling.after if is_gated else None, "optimize")
            filling.attach(run)
            self._finish(run, filling, is_kept="journal" in options)
        finally:
            self._is_running = False
            for trial in self._later:
                super().add_trial(trial)
            if not is_random:
                self.sampler.reseed_rng()  # the one that has drawn was a copy

    def _finish(self, run: Run, filling: Filling, *, is_kept: bool) -> None:
        """Wait for the end of the run, and raise what Optuna would."""
        try:
            self.result = wait_for(run, tells_how_to_resume=is_kept)
        except AllTrialsFailed as error:  # no error in Optuna, where each one is caught
            self.result = error.result
        filling.finish(self.result)
        if filling.error is not None:
            raise filling.error
        if self.result.reason == "failed":
            failure = search_failure_of(run)
            if failure is not None:
                raise SearcherError(failure)

    def add_trial(self, trial: FrozenTrial) -> None:
        """Add a trial, or enqueue one; what a callback adds is there after `optimize`."""
        if self._is_running:
            self._later.append(trial)
        else:
            super().add_trial(trial)

    def _forget(self) -> None:
        """Have the trials read again from the storage."""
        self._thread_local.cached_all_trials = None


def create_study(
    *,
    storage: object = None,
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
    study_name: str | None = None,
    direction: Any = None,
    load_if_exists: bool = False,
    directions: Any = None,
    engine: str | None = None,
    spark: Any = None,
) -> Study:
    """Create a study whose trials run on Spark, with the arguments of Optuna's function.

    Args:
        storage: Not supported, the study is in memory: a journal keeps the run. Default None.
        sampler: A sampler of Optuna for this study alone. Default None: `TPESampler`.
        pruner: A pruner of Optuna, or of your own. The bus itself decides for
            SuccessiveHalvingPruner, HyperbandPruner, MedianPruner and NopPruner; any other one
            is asked at each report. Default None: MedianPruner.
        study_name: Default None: Optuna makes one up.
        direction: ``minimize`` or ``maximize``. Default None: ``minimize``.
        load_if_exists: Changes nothing without a storage.
        directions: A list with one direction; several are not supported. Default None.
        engine: ``spark`` or ``local``. Default None: the environment's ``ASHA_BUS_ENGINE``, or
            else ``spark``.
        spark: The session. Default None: the active one, or a new one.

    Returns:
        The `Study`.

    Raises:
        InvalidArgument: An argument is wrong or not supported; the message names it.
        ImportError: Optuna is not installed: ``pip install 'asha-bus[optuna]'``.

    Example:
        ::

            study = create_study(direction="maximize", engine="local")
            study.optimize(lambda trial: -(trial.suggest_float("x", -1, 1) ** 2), n_trials=20)
    """
    if storage is not None:
        raise InvalidArgument(
            f"storage={shortened(storage)} is not supported, the study is in memory; leave it "
            f"out, and pass journal=PATH to optimize() to keep the run"
        )
    if directions is not None and not isinstance(directions, str) and len(directions) > 1:
        raise InvalidArgument(
            f"directions={list(directions)!r}: several objectives are not supported; return one "
            f"value, and keep the others with trial.set_user_attr(...)"
        )
    where = "engine" if engine is not None else f"the environment's {ENGINE_VARIABLE}"
    chosen = engine or os.environ.get(ENGINE_VARIABLE) or "spark"
    check(where, chosen, _ENGINE)
    plain = optuna.create_study(
        storage=optuna.storages.InMemoryStorage(),
        sampler=sampler,
        pruner=pruner,
        study_name=study_name,
        direction=direction,
        directions=directions,
    )
    owner = _owners.get(plain.sampler)
    other = None if owner is None else owner()
    if other is not None:
        raise InvalidArgument(
            f"sampler={shortened(sampler)} belongs to study {other.study_name!r}; make another "
            f"one for this study, since each draws by what its study has seen"
        )
    if getattr(plain.sampler, "_constraints_func", None) is not None:
        raise InvalidArgument(
            f"sampler={shortened(sampler)}: constraints_func is not supported; leave it out"
        )
    scheduler_of(plain.pruner)
    study = Study(plain.study_name, plain._storage, plain.sampler, plain.pruner)
    study._engine, study._spark = chosen, spark
    _owners[plain.sampler] = weakref.ref(study)
    return study


@raises_short
def MlflowSparkStudy(  # noqa: N802 - the name of a class in the programs that use it
    study_name: str,
    storage: object = None,
    sampler: optuna.samplers.BaseSampler | None = None,
    pruner: optuna.pruners.BasePruner | None = None,
    mlflow_tracking_uri: str | None = None,
    **options: Any,
) -> Study:
    """The study of a program written for MLflow's class of this name.

    Each call of ``optimize`` is a run of MLflow, with a nested run for each trial, as an
    `MLflowMonitor` writes them. ``study.mlflow.wait()`` waits for a slow server.

    Args:
        study_name: The name of the study, and of its runs in MLflow.
        storage: An ``MlflowStorage``, of which only the experiment is used: the runs are written
            there. Any other storage is refused. Default None: the experiment of MLflow with the
            study's name.
        sampler: As in `create_study`.
        pruner: As in `create_study`.
        mlflow_tracking_uri: Where MLflow keeps runs. Default None: what MLflow itself uses, if
            there is a ``storage``; without either, nothing is written to MLflow.
        options: Further arguments of `create_study`.

    Returns:
        The `Study`.

    Raises:
        InvalidArgument: An argument is wrong or not supported; the message names it.
        ImportError: MLflow is not installed: ``pip install 'asha-bus[mlflow]'``.

    Example:
        ::

            study = MlflowSparkStudy("tuning", storage=MlflowStorage(experiment_id="1"))
            study.optimize(objective, n_trials=100, n_jobs=8)
    """
    experiment_id = None
    if type(storage).__name__ == "MlflowStorage":
        experiment_id = str(storage._experiment_id)  # type: ignore[attr-defined]
        storage = None
    is_kept = experiment_id is not None or mlflow_tracking_uri is not None
    make = partial(
        MLflowMonitor,
        study_name if experiment_id is None else None,
        mlflow_tracking_uri,
        experiment_id=experiment_id,
        run_name=study_name,
    )
    if is_kept:
        make()  # says what is wrong before anything runs
    study = create_study(
        study_name=study_name, storage=storage, sampler=sampler, pruner=pruner, **options
    )
    study._make_mlflow = make if is_kept else None
    return study


def load_study(*_: object, **given: Any) -> NoReturn:
    """Refused: a study is in memory, and trials of Optuna's own would not run on Spark."""
    raise InvalidArgument(
        f"load_study({', '.join(given)}) is not supported, since a study is in memory: call "
        f"create_study(), and optimize(journal=PATH, resume=True) to continue an earlier run; "
        f"Optuna's own load_study() reads a storage of Optuna"
    )


def _ended(options: Mapping[str, Any]) -> frozenset[int] | None:
    """The trials that ended in earlier launches of a run that is resumed; None: it is a new one."""
    journal = options.get("journal")
    if not options.get("resume") or journal is None:
        return None
    path = Path(os.path.expanduser(journal))
    if not path.exists():
        return None
    scheduler = options.get("scheduler")
    found = Result.from_journal(path, schedulers=() if scheduler is None else [type(scheduler)])
    return frozenset(one.id for one in found.trials if one.state in FINAL - {TrialState.CANCELLED})


def _seed_of(sampler: Any) -> int:
    """The next seed of a random sampler, so that a seeded one gives the same trials again."""
    generator = getattr(sampler._rng, "rng", sampler._rng)  # older versions hold it directly
    return int(generator.randint(2**31 - 1))
