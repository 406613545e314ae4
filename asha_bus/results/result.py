"""The result of a run: its trials, the best one, and why the run ended."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asha_bus.core.checks import as_builtin, check, whole
from asha_bus.core.errors import AshaBusError, InvalidArgument
from asha_bus.core.events import RunSettings
from asha_bus.core.failures import Repeated
from asha_bus.core.schedulers import Scheduler, Schedulers
from asha_bus.core.space import Space
from asha_bus.core.trial import RungStanding, TrialState
from asha_bus.formats.journal import is_journal
from asha_bus.results.branches import Branches, BranchRecord
from asha_bus.results.configurations import Configurations, best_of, configurations_of
from asha_bus.results.conversions import Conversions
from asha_bus.results.decisions import Decisions, decisions_of
from asha_bus.results.elsewhere import ELSEWHERE
from asha_bus.results.explain import explainer
from asha_bus.results.files import Files
from asha_bus.results.importance import Importances, importances_of
from asha_bus.results.journals import read_journal
from asha_bus.results.plotting import Plots
from asha_bus.results.records import BusReport, TrialRecord, failures_of
from asha_bus.results.refit import Recipe, refit
from asha_bus.results.summary import html_of, text_of
from asha_bus.results.tables import visible
from asha_bus.results.warnings import warnings_of


class Result(Files, Plots, Conversions):
    """The result of a run, which `asha_bus.launch` returns.

    Attributes:
        name: The run's name.
        mode: ``min`` or ``max``: whether a smaller or a larger metric is better.
        seed: The run's seed.
        space: The run's space.
        trials: A `TrialRecord` of every trial that was begun, by number.
        reason: Why the run ended: ``max_trials``, ``max_time``, ``max_total_resource``,
            ``stop_at``, ``stop_run`` (the function of that name said so), ``exhausted``
            (every point of a finite space was run), ``stopped`` (by the user) or ``failed``.
            ``unfinished``: the journal that this was read from has no end of the run.
        message: Details of the reason, for instance of a failure; empty if there are none.
        elapsed_s: Seconds from the start of the bus to the end of the run.
        bus: A `BusReport`.
        settings: The scheduler and the limits of the run; None if they are not known.
        trial_warnings: The warnings about trials, such as errors in clean-ups and retried
            attempts: the first of each kind, with ``trial``, ``text`` and ``times``.
        rungs: A `RungStanding` for each rung of each bracket or plan; empty if they are not known.
        recipe: The objective and its ``data``, for `refit`; None if the result was read from a
            file or unpickled.

    Example:
        >>> result = ab.launch(
        ...     lambda x: x**2, {"x": ab.uniform(-1, 1)},
        ...     max_trials=20, seed=1, engine="local", monitor=None,
        ... )
        >>> len(result.trials), result.reason
        (20, 'max_trials')
        >>> best = result.best.params
    """

    def __init__(
        self,
        *,
        name: str,
        mode: str,
        seed: int,
        space: Space,
        trials: Sequence[TrialRecord],
        reason: str,
        message: str,
        elapsed_s: float,
        bus: BusReport,
        settings: RunSettings | None = None,
        trial_warnings: Sequence[Repeated] = (),
        rungs: Sequence[RungStanding] = (),
        recipe: Recipe | None = None,
    ) -> None:
        self.name = name
        self.mode = mode
        self.seed = seed
        self.space = space
        self.trials = tuple(trials)
        self.reason = reason
        self.message = message
        self.elapsed_s = elapsed_s
        self.bus = bus
        self.settings = settings
        self.trial_warnings = tuple(trial_warnings)
        self.rungs = tuple(rungs)
        self.recipe = recipe

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "recipe": None}  # an objective may be one that no pickle holds

    @property
    def counts(self) -> dict[TrialState, int]:
        """The number of trials in each state."""
        counted = Counter(trial.state for trial in self.trials)
        return {state: counted[state] for state in TrialState}

    @property
    def scheduler(self) -> Scheduler | None:
        """The scheduler; None if it is not known."""
        return None if self.settings is None else self.settings.scheduler

    @property
    def searcher(self) -> str:
        """The searcher and its settings, as text; empty if they are not known."""
        return "" if self.settings is None else self.settings.searcher

    @property
    def idle_seconds(self) -> float:
        """Seconds that workers spent outside the objective; see `BusReport`."""
        return self.bus.idle_seconds

    @property
    def retrained_resource(self) -> float:
        """Resource that was trained again from the start; see `BusReport`."""
        return self.bus.retrained_resource

    @property
    def failures(self) -> tuple[TrialRecord, ...]:
        """The trials that failed or were lost, by the time of their end."""
        return tuple(failures_of(self.trials))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before trusting the result, a sentence each; empty if all is well.

        For instance that all metrics were NaN, or that the scheduler judged nothing; and a
        line for each of `trial_warnings`.
        """
        return warnings_of(self)

    @property
    def repeated(self) -> int:
        """The number of configurations that were equal to an earlier one.

        It is 0 with ``launch(unique=True)``. The repeats of ``launch(repeats=...)`` do not count.
        """
        points = [trial.point for trial in self.trials if not trial.repeat]
        return len(points) - len(set(points))

    @property
    def best(self) -> TrialRecord | None:
        """The best trial, or None if no trial has a usable metric (see `best_reason`).

        It has the best last metric among the completed trials; if none completed, among those
        that entered the highest rung. Ties go to the earlier trial.

        With repeats, it belongs to the best configuration: the one with the most completed
        repeats and, among equals, with the best mean of their last metrics. It is the first
        of these repeats. `by_configuration` has the mean and the spread.
        """
        return self._find_best()[0]

    @property
    def best_reason(self) -> str:
        """Among which trials `best` was chosen, or why it is None."""
        return self._find_best()[1]

    def _find_best(self) -> tuple[TrialRecord | None, str]:
        return best_of(self.trials, self.mode)

    def refit(self, **overrides: Any) -> Any:
        """Train the best configuration again, here in this process, with the same seed.

        A generator, and an objective that takes a trial, are trained up to the resource of the
        best trial, and nothing stops them before that.

        Args:
            **overrides: Arguments of the objective that replace those of the configuration, or
                are added to them.

        Returns:
            What the objective returns; of a generator, the last value that it yields.

        Raises:
            InvalidArgument: There is no best trial, the result was read from a file, which has
                no objective, or the objective does not take the arguments.

        Example:
            >>> loss = result.refit()
        """
        return refit(self.recipe, self.best, self.best_reason, overrides)

    def top(self, k: int) -> tuple[TrialRecord, ...]:
        """List the best trials, best first, ranked as `best` is chosen.

        Completed trials come first, then those that entered the highest rung, and so on; among
        equals the last metric counts. With repeats, each configuration is there once, by the
        trial that would be `best`.

        Args:
            k: The most trials to return.

        Returns:
            The trials, fewer than ``k`` if no more have a usable metric.

        Raises:
            InvalidArgument: ``k`` is not a whole number of at least 1.

        Example:
            >>> metrics = [trial.metric for trial in result.top(3)]
        """
        k = as_builtin(k)
        check("k", k, whole(1))
        leaders = (one.furthest[0] for one in self.by_configuration() if one.furthest)
        return tuple(islice(leaders, k))

    def by_configuration(self) -> Configurations:
        """List the configurations of the run, best first.

        Those whose repeats got further come first, whatever their metric: by the number of
        completed repeats, then by the highest rung entered, and by how many entered it. Equals
        are ordered by the mean.

        Returns:
            A `ConfigurationRecord` for each configuration, with ``params``, all its
            ``trials``, the trials that got ``furthest``, the mean ``metric`` of these and its
            ``spread``. Printed, it is a table; ``resource`` and ``of`` are the most resource
            and the number of those that got furthest.

        Example:
            >>> best = result.by_configuration()[0]
        """
        return configurations_of(self.trials, self.mode)

    def by_branch(self) -> Branches:
        """List the level-1 configurations that had a trial, by number.

        Returns:
            A `BranchRecord` for each, with ``fixed`` (the values that it fixes), the number of
            ``trials``, the ``best`` trial, ``best_metric`` and ``best_params``. Printed, it is
            a table.

        Example:
            >>> fixed = [branch.fixed for branch in result.by_branch()]
        """
        found: dict[int, list[TrialRecord]] = {}
        for trial in self.trials:
            found.setdefault(self.space.branch_of(trial.point), []).append(trial)
        return Branches(
            BranchRecord(
                number=number,
                fixed=self.space.level1(number),
                trials=len(trials),
                best=best_of(trials, self.mode)[0],
            )
            for number, trials in sorted(found.items())
        )

    def explain(self, trial_id: int) -> str:
        """Explain the rung decisions of a trial in words.

        Args:
            trial_id: The trial's number.

        Returns:
            One line per decision and one for the trial's state.

        Raises:
            InvalidArgument: There is no trial with this number.

        Example:
            >>> lines = result.explain(0).splitlines()
        """
        if trial_id not in range(len(self.trials)):
            raise InvalidArgument(
                f"there is no trial {trial_id!r}; this run has {len(self.trials)}, counted from 0"
            )
        return explainer(self.trials, self.mode, self.scheduler)(self.trials[trial_id])

    def decisions(self) -> Decisions:
        """List all rung decisions of the run, by trial and rung.

        Returns:
            A `DecisionRecord` for each. Printed, it is a table; ``to_pandas()`` converts it.

        Example:
            >>> stopped = [one.trial for one in result.decisions() if one.verdict == "stop"]
        """
        return decisions_of(self.trials)

    def rung_table(self) -> list[tuple[int, float, int, int]]:
        """Count the entries of each rung, over all brackets.

        Returns:
            For each rung: its number, its resource, the number of trials that entered it, and
            of those that continued.

        Example:
            >>> for rung, resource, entries, passed in result.rung_table():
            ...     print(f"rung {rung} at {resource}: {passed} of {entries} continued")
        """
        entries: dict[tuple[int, float], list[int]] = {}
        for trial in self.trials:
            for record in trial.rungs:
                counted = entries.setdefault((record.rung, record.resource), [0, 0])
                counted[0] += 1
                counted[1] += record.verdict == "continue"
        return [
            (number, resource, entered, passed)
            for (number, resource), (entered, passed) in sorted(entries.items())
        ]

    def importance(self) -> Importances:
        """Estimate how much the metric depends on each parameter.

        A random forest learns the metrics at one rung, or the last ones if there are no rungs.
        The importance is the drop of its R² on unseen trials when the values of a parameter
        are shuffled. It needs at least 30 trials.

        Returns:
            A `ParameterImportance` for each parameter that varies, the most important first,
            and a ``note`` that says what it was computed from; empty if it cannot be computed,
            and ``note`` says why. Printed, it is a table with the note.

        Raises:
            ImportError: scikit-learn is not installed (the extra ``report``).

        Example:
            >>> names = [one.name for one in result.importance()]
        """
        return importances_of(self)

    def report(self, path: str | os.PathLike[str]) -> Path:
        """Write a report of the run as one HTML file.

        The file has charts, a table of all trials, and an explanation of each decision; it
        loads nothing from the network. The importance of parameters needs the extra
        ``report``; without it the file says so.

        Args:
            path: The file to write.

        Returns:
            The file's path.

        Raises:
            InvalidArgument: The file cannot be written.

        Example:
            >>> path = result.report("report.html")
        """
        from asha_bus.page.report import write_report

        return write_report(self, path)

    def __repr__(self) -> str:
        return visible(text_of(self))

    if not TYPE_CHECKING:  # which knows the attributes there are

        def __getattr__(self, name):
            hint = f"; use result.{ELSEWHERE[name]}" if name in ELSEWHERE else ""
            raise AttributeError(f"a Result has no attribute {name!r}{hint}")

    def _repr_html_(self) -> str:
        return html_of(self)


def read_result(path: str | os.PathLike[str], schedulers: Schedulers = ()) -> Result:
    """The result in a journal or in a saved result; raises as `Result.load` does."""
    data = read_journal(path, what="journal or saved result")
    read = Result._replayed if is_journal(data) else Result._loaded
    return read(data, os.fspath(path), None, schedulers)


class AllTrialsFailed(AshaBusError):
    """Raised at the end of a run in which trials failed or were lost and none succeeded.

    A trial succeeded if it is COMPLETED, or STOPPED by a rule. A run that the user,
    ``stop_run``, ``max_time`` or ``max_total_resource`` ended returns its result instead, and
    logs a warning.

    Attributes:
        result: The `Result`, whose trials have their tracebacks in ``error``.

    Example:
        >>> try:
        ...     result = ab.launch(objective, space, max_trials=50)
        ... except ab.AllTrialsFailed as error:
        ...     tracebacks = [trial.error for trial in error.result.trials]
    """

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result
