"""`fmin`: hyperopt's front door, with a run behind it."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from asha_bus import launch
from asha_bus.core.errors import InvalidArgument, ObjectiveError, SearcherError
from asha_bus.core.space import Space, as_space
from asha_bus.core.trial import TrialState
from asha_bus.hyperopt_arguments import searcher_of, seed_of, trials_of
from asha_bus.hyperopt_labels import labels_of, point_of_raw, space_eval
from asha_bus.hyperopt_objective import fail_result, fmin_objective
from asha_bus.hyperopt_trials import SparkTrials, Trials
from asha_bus.monitors.base import Monitor
from asha_bus.options import is_seconds
from asha_bus.plan import RawPoint
from asha_bus.records import TrialRecord
from asha_bus.result import AllTrialsFailed, Result
from asha_bus.run import Run, wait_for

logger = logging.getLogger("asha_bus")

#: Arguments of `asha_bus.launch` that `fmin` gives itself, and what to say in their place.
_INSTEAD = {
    "objective": "fn",
    "mode": "the negative of what is to be great",
    "max_trials": "max_evals",
    "max_time": "timeout",
    "stop_at": "loss_threshold",
    "seed": "rstate",
    "searcher": "algo",
    "initial": "points_to_evaluate",
    "engine": "trials=Trials() or SparkTrials()",
    "spark": "trials=SparkTrials(spark_session=...)",
    "block": "launch(..., block=False)",
}


def fmin(
    fn: Callable[..., Any],
    space: Any,
    algo: Any = None,
    max_evals: int | None = None,
    timeout: float | None = None,
    loss_threshold: float | None = None,
    trials: Any = None,
    rstate: Any = None,
    allow_trials_fmin: bool = True,
    pass_expr_memo_ctrl: bool | None = None,
    catch_eval_exceptions: bool = False,
    verbose: bool = True,
    return_argmin: bool = True,
    points_to_evaluate: Sequence[Mapping[str, Any]] | None = None,
    max_queue_len: int = 1,
    show_progressbar: Any = True,
    early_stop_fn: Callable[..., Any] | None = None,
    trials_save_file: str = "",
    **options: Any,
) -> Any:
    """Minimise ``fn`` over ``space`` as hyperopt's ``fmin`` does; the arguments are its own.

    ``fn``: a function of one argument, a configuration, that returns the loss or a dict
    with ``loss`` and ``status``; or a generator that yields such, one per unit of
    resource. It runs in another process. ``space``: what hyperopt takes, or a `Space`.
    ``algo``: ``tpe.suggest`` (default), ``rand.suggest``, a partial of the first, or a
    searcher. ``max_evals``: so many trials in all, ``points_to_evaluate`` among them.
    ``timeout`` (seconds), ``loss_threshold``: the run ends then. One of the three, or
    ``early_stop_fn``, is needed. ``trials``: a `SparkTrials` runs them on Spark; a
    `Trials`, or None, in one process of this machine, one after the other. ``rstate``: a
    generator of numpy or a whole number. ``points_to_evaluate``: raw values by label, tried
    first. ``early_stop_fn(trials, *state)``: called when a trial has ended, here, with what
    it returned the last time; (True, state) ends the run. ``allow_trials_fmin`` and
    ``max_queue_len`` change nothing.
    ``options``: further arguments of `asha_bus.launch`, such as ``scheduler=ASHA(81)``,
    ``workers``, ``data``, ``journal`` or ``page``.

    Returns the raw values of the best trial by label, of a choice the index; with
    ``return_argmin=False`` the configuration itself.

    Raises `InvalidArgument` before anything starts; `ObjectiveError` with the traceback
    where ``fn`` raised, which ends the run, unless it is on Spark or
    ``catch_eval_exceptions`` is set; `SearcherError` where the searcher raised or suggested
    what is not in the space; `AllTrialsFailed` if no trial has a loss; what
    ``early_stop_fn`` raises; and what `asha_bus.launch` raises.
    """
    _check_options(options)
    if pass_expr_memo_ctrl or getattr(fn, "fmin_pass_expr_memo_ctrl", False):
        raise InvalidArgument("pass_expr_memo_ctrl is not supported: fn gets the configuration")
    if trials_save_file:
        raise InvalidArgument(
            f"trials_save_file={trials_save_file!r}: the run is kept in a journal instead; give "
            f"journal=PATH, and resume=True to go on with it"
        )
    if early_stop_fn is not None and not callable(early_stop_fn):
        raise InvalidArgument(f"early_stop_fn must be a function or None, got {early_stop_fn!r}")
    by_name = isinstance(space, str) and space == "annotated"
    known = as_space(_annotated(fn) if by_name else space)
    labels_of(known)
    ours, theirs = trials_of(trials)
    if isinstance(ours, SparkTrials):
        timeout = timeout if ours.timeout is None else ours.timeout
        loss_threshold = ours.loss_threshold if loss_threshold is None else loss_threshold
    has_end = loss_threshold is not None or early_stop_fn is not None or known.is_finite
    max_evals = _limit(max_evals, timeout, has_end)
    settings: dict[str, Any] = {
        **_where(ours),
        **({} if trials is None else _going_on(ours, options)),
        "monitor": "progress" if verbose and show_progressbar else None,
        "initial": _points(known, points_to_evaluate),
        **options,
    }
    is_new = not settings.get("resume")
    before = {one["tid"] for one in ours.documents}
    if max_evals is None or len(before) < max_evals:
        watcher = _Watcher(
            ours, known, early_stop_fn, not (catch_eval_exceptions or ours.engine == "spark")
        )
        spent = 0.0 if ours.result is None else ours.result.elapsed_s
        run = launch(
            fmin_objective(fn, by_name=by_name, data=tuple(options.get("data") or ())),
            known,
            searcher=searcher_of(algo),
            max_trials=max_evals,
            max_time=None if timeout is None else timeout + spent,
            stop_at=loss_threshold,
            seed=seed_of(rstate) if is_new else None,
            block=False,
            **{**settings, "monitor": watcher.beside(settings["monitor"])},
        )
        watcher.attach(run)
        watcher.finish(run, theirs, before, is_kept="journal" in options)
    return ours.argmin if return_argmin else space_eval(known, ours.argmin)


class _Watcher(Monitor):
    """Keeps the trials as they end, and ends the run where hyperopt would."""

    def __init__(
        self, trials: Trials, space: Space, early_stop_fn: Callable[..., Any] | None, raises: bool
    ) -> None:
        self.follows_trials = raises or early_stop_fn is not None
        # whether an exception of the objective is one of fmin, too
        self._raises = raises
        # what early_stop_fn raised
        self._error: BaseException | None = None
        self._trials, self._space = trials, space
        self._early_stop_fn = early_stop_fn
        self._state: Sequence[Any] = ()
        self._is_over = False
        self._run: Run | None = None

    def beside(self, monitor: Any) -> list[Any]:
        """What to launch with: ``monitor``, and this one."""
        if monitor is None:
            return [self]
        return [*monitor, self] if isinstance(monitor, (list, tuple)) else [monitor, self]

    def attach(self, run: Run) -> None:
        """The run has begun; it may have to end already."""
        self._run = run
        if self._is_over:
            run.stop()

    def finish(self, run: Run, theirs: Any, before: set[int], *, is_kept: bool) -> None:
        """Wait for the end and fill in the trials; raise what hyperopt would.

        ``theirs``: hyperopt's own trials, to be filled, too. ``before``: the numbers of
        trials of earlier runs. ``is_kept``: whether the user has a journal.
        """
        failure: AllTrialsFailed | None = None
        try:
            result: Result = wait_for(run, tells_how_to_resume=is_kept)
        except AllTrialsFailed as error:
            failure, result = error, error.result
        self._trials.fill(result)
        if theirs is not None:
            theirs.insert_trial_docs(self._trials.documents)
            theirs.refresh()
        if self._error is not None:
            raise self._error
        raised = [one for one in result.trials if one.id not in before and _has_raised(one)]
        if raised and self._raises:
            first = min(raised, key=lambda trial: trial.end_time or 0)
            raise ObjectiveError(
                f"fn raised in trial {first.id} with {first.params!r}; "
                f"catch_eval_exceptions=True would go on:\n{first.error}"
            )
        if failure is not None:
            raise failure
        if result.reason == "failed" and run.search_failure is not None:
            raise SearcherError(run.search_failure)
        if result.reason == "failed":
            logger.warning("the run ended early: %s", result.message)

    def on_end(self, trial: TrialRecord) -> None:
        if self._is_over or not self._trials.add(trial, self._space):
            return
        if _has_raised(trial):
            if self._raises:
                self._stop()
        elif self._early_stop_fn is not None and trial.state is not TrialState.CANCELLED:
            try:
                stop, self._state = self._early_stop_fn(self._trials, *self._state)
            except BaseException as error:  # user code, which may raise anything; fmin raises it
                self._error, stop = error, True
            if stop:
                self._stop()

    def _stop(self) -> None:
        self._is_over = True
        if self._run is not None:
            self._run.stop()


def _has_raised(trial: TrialRecord) -> bool:
    """Whether it failed in another way than by STATUS_FAIL."""
    is_failed = trial.state in (TrialState.FAILED, TrialState.LOST)
    return is_failed and fail_result(trial.error) is None


def _check_options(options: Mapping[str, Any]) -> None:
    known = inspect.signature(launch).parameters
    for name in options:
        if name in _INSTEAD:
            raise InvalidArgument(f"fmin() takes no {name}; give {_INSTEAD[name]} instead")
        if name not in known:
            raise InvalidArgument(f"neither fmin() nor launch() takes {name!r}")


def _annotated(fn: Callable[..., Any]) -> dict[str, Any]:
    """The space in the annotations of ``fn``."""
    found = dict(getattr(fn, "__annotations__", {}))
    found.pop("return", None)
    return found


def _where(trials: Trials) -> dict[str, Any]:
    """Where the trials run, and how many at a time."""
    if not isinstance(trials, SparkTrials):
        return {"engine": trials.engine, "workers": 1}
    wanted = trials.parallelism
    workers = None if wanted is None or wanted <= 0 else wanted
    return {"engine": trials.engine, "workers": workers, "spark": trials.spark_session}


def _going_on(trials: Trials, options: Mapping[str, Any]) -> dict[str, Any]:
    """The journal of trials that may be passed again, unless the user has one."""
    if "journal" in options:
        return {}
    if trials.documents and not trials.has_journal:
        raise InvalidArgument(
            f"trials holds {len(trials.documents)} trials of a run that is not known here; give "
            f"new ones, or the run's journal=PATH with resume=True"
        )
    trials.forget_cancelled()
    journal: Path = trials.journal
    return {"journal": journal, "resume": journal.exists()}


def _limit(max_evals: object, timeout: object, has_end: bool) -> int | None:
    """``max_evals``, checked; InvalidArgument where there is no end at all."""
    if timeout is not None and not is_seconds(timeout):
        raise InvalidArgument(f"timeout must be a number of seconds above 0, got {timeout!r}")
    if max_evals is None:
        if timeout is None and not has_end:
            raise InvalidArgument("the run needs an end: give max_evals or timeout (seconds)")
        return sys.maxsize if timeout is None else None
    if isinstance(max_evals, bool) or not isinstance(max_evals, int) or max_evals < 1:
        raise InvalidArgument(f"max_evals must be a whole number above 0, got {max_evals!r}")
    return max_evals


def _points(space: Space, given: Any) -> list[RawPoint] | None:
    """The points of raw values by label; InvalidArgument names the wrong one."""
    if given is None:
        return None
    if not isinstance(given, (list, tuple)):
        raise InvalidArgument(f"points_to_evaluate must be a list of dicts, got {given!r}")
    points = []
    for number, values in enumerate(given):
        try:
            points.append(RawPoint(point_of_raw(space, values)))
        except InvalidArgument as error:
            raise InvalidArgument(f"points_to_evaluate[{number}]: {error}") from error
    return points
