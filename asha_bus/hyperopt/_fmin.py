"""`fmin`: hyperopt's front door, with a run behind it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from asha_bus import launch, start
from asha_bus.core.checks import ELSEWHERE, SECONDS, Rule, check, check_names
from asha_bus.core.errors import InvalidArgument, ObjectiveError, SearcherError
from asha_bus.core.space import Space, as_space
from asha_bus.core.tracebacks import raises_short
from asha_bus.core.trial import TrialState
from asha_bus.hyperopt.arguments import (
    give_back,
    points_of,
    remembering,
    searcher_of,
    seed_of,
    trials_of,
)
from asha_bus.hyperopt.documents import fail_result, raw_of
from asha_bus.hyperopt.labels import labels_of, point_of_raw, space_eval
from asha_bus.hyperopt.objective import fmin_objective
from asha_bus.hyperopt.space import if_hyperopt
from asha_bus.hyperopt.trials import SparkTrials, Trials
from asha_bus.launching.arguments import FINITE
from asha_bus.launching.plan import RawPoint
from asha_bus.launching.run import Run, search_failure_of, wait_for
from asha_bus.monitors.base import Monitor
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import AllTrialsFailed, Result

logger = logging.getLogger("asha_bus")

#: Arguments of `asha_bus.launch` that `fmin` gives itself, and what to use in their place.
_INSTEAD = {
    "mode": "the negative of what is to be great",
    "engine": "trials=Trials() or SparkTrials()",
    "spark": "trials=SparkTrials(spark_session=...)",
    "block": "start(...) for a Run at once",
}

_LIST = Rule("a list of dicts", types=(list, tuple))

#: hyperopt goes on however many trials failed.
_ANY_NUMBER = 2**62


@raises_short
def fmin(
    fn: Callable[..., object],
    space: object,
    algo: object = None,
    max_evals: int | None = None,
    timeout: float | None = None,
    loss_threshold: float | None = None,
    trials: object = None,
    rstate: object = None,
    allow_trials_fmin: bool = True,
    pass_expr_memo_ctrl: bool | None = None,
    catch_eval_exceptions: bool = False,
    verbose: bool = True,
    return_argmin: bool = True,
    points_to_evaluate: Sequence[Mapping[str, object]] | None = None,
    max_queue_len: int = 1,
    show_progressbar: object = True,
    early_stop_fn: Callable[..., Any] | None = None,
    trials_save_file: str = "",
    **options: Any,
) -> Any:
    """Minimise a function over a space as hyperopt's ``fmin`` does, with the same arguments.

    Args:
        fn: What is to be tuned: a function of one argument, a configuration, that returns the
            loss, or a dict with ``loss`` and ``status``; or a generator function that yields
            such, one per unit of resource. It runs in another process.
        space: What hyperopt takes, or a `Space`.
        algo: ``tpe.suggest``, ``rand.suggest``, any other algorithm of hyperopt, a
            `functools.partial` of one, or a searcher. Default None: TPE.
        max_evals: The number of trials in all, including those that ``trials`` holds already
            and those of ``points_to_evaluate``. One of ``max_evals``, ``timeout``,
            ``loss_threshold``, ``early_stop_fn`` and ``max_total_resource`` is needed. Default
            None.
        timeout: The run ends after this many seconds. Default None.
        loss_threshold: The run ends when a trial's loss is this low. Default None.
        trials: A `SparkTrials` runs the trials on Spark; a `Trials` runs them in one process
            of this machine, one after the other. Default None: as with `Trials`.
        rstate: A generator of numpy, or a whole number as the seed. Default None: the
            environment's ``HYPEROPT_FMIN_SEED``, or a random seed.
        allow_trials_fmin: Changes nothing.
        pass_expr_memo_ctrl: Not supported; True is refused.
        catch_eval_exceptions: True continues after a trial in which ``fn`` raised. Default
            False: the run ends, unless it is on Spark.
        verbose: False shows no progress. Default True.
        return_argmin: False returns the best configuration itself. Default True.
        points_to_evaluate: Raw values by label, tried first. Default None.
        max_queue_len: Changes nothing.
        show_progressbar: False shows no progress. Default True.
        early_stop_fn: Called here as ``early_stop_fn(trials, *state)`` after each trial, with
            the state it returned last; it returns (whether to stop, state). Default None.
        trials_save_file: Not supported; give ``journal`` instead.
        options: Further arguments of `asha_bus.launch`, such as ``scheduler=ASHA(81)``,
            ``workers``, ``data``, ``journal`` or ``page``.

    Returns:
        The raw values of the best trial by label, for a choice its index; with
        ``return_argmin=False`` the configuration itself.

    Raises:
        InvalidArgument: An argument is wrong; the message names it. Nothing was started.
        ObjectiveError: ``fn`` raised; holds its traceback.
        SearcherError: The searcher raised, or suggested what is not in the space.
        AllTrialsFailed: No trial has a loss.

        Also what ``early_stop_fn`` raises, and what `asha_bus.launch` raises.

    Example:
        ::

            from hyperopt import hp, tpe

            best = ab.fmin(
                lambda x: (x - 3) ** 2, hp.uniform("x", -10, 10), algo=tpe.suggest, max_evals=50
            )
    """
    own = signature(fmin).parameters
    instead = {ours: theirs for theirs, ours in ELSEWHERE.items() if theirs in own} | _INSTEAD
    check_names("fmin()", options, {**own, **signature(launch).parameters}, instead)
    if pass_expr_memo_ctrl or getattr(fn, "fmin_pass_expr_memo_ctrl", False):
        raise InvalidArgument("pass_expr_memo_ctrl is not supported: fn gets the configuration")
    if trials_save_file:
        raise InvalidArgument(
            f"trials_save_file={trials_save_file!r}: a journal keeps the run instead; pass "
            f"journal=PATH, and resume=True to continue it"
        )
    if early_stop_fn is not None:
        check("early_stop_fn", early_stop_fn, Rule("a function or None", callable))
    by_name = isinstance(space, str) and space == "annotated"
    known = as_space(_annotated(fn) if by_name else space, [if_hyperopt])
    labels_of(known)
    ours, theirs = trials_of(trials)
    if isinstance(ours, SparkTrials):
        timeout = timeout if ours.timeout is None else ours.timeout
        loss_threshold = ours.loss_threshold if loss_threshold is None else loss_threshold
    if loss_threshold is not None:
        check("loss_threshold", loss_threshold, FINITE)
    has_end = loss_threshold is not None or early_stop_fn is not None or known.is_finite
    has_end = has_end or options.get("max_total_resource") is not None
    max_evals = _limit(max_evals, timeout, has_end)
    if points_to_evaluate is not None:
        check("points_to_evaluate", points_to_evaluate, _LIST)
    points = [*points_of(theirs), *(points_to_evaluate or ())]
    settings: dict[str, Any] = {
        "max_failures": max_evals or _ANY_NUMBER,
        "monitor": "progress" if verbose and show_progressbar else None,
        **options,
    }
    journal = options.get("journal")
    is_resumed = bool(options.get("resume") and journal and Path(journal).exists())
    ours.begin(is_resumed=is_resumed)
    earlier = [] if is_resumed else list(ours.documents)
    left = None if max_evals is None else max_evals - (0 if is_resumed else len(ours))
    searcher = remembering(searcher_of(algo, _annotated(fn) if by_name else space), earlier, known)
    if left is None or left > 0:
        settings = {**_where(ours, options), **settings}
        settings["max_trials"] = left
        settings["initial"] = _points(known, points, earlier)
        # a run that is resumed has a seed already
        settings["seed"] = None if is_resumed else seed_of(rstate, len(earlier))
        raises = not (catch_eval_exceptions or ours.engine == "spark")
        watcher = _Watcher(ours, known, early_stop_fn, raises=raises, is_resumed=is_resumed)
        objective = fmin_objective(
            fn,
            by_name=by_name,
            data=tuple(options.get("data") or ()),
            folder=None if trials is None and early_stop_fn is None else str(ours.folder),
        )
        run = start(
            objective,
            known,
            searcher=searcher,
            max_time=timeout,
            stop_at=loss_threshold,
            **{**settings, "monitor": watcher.beside(settings["monitor"])},
        )
        watcher.attach(run)
        watcher.finish(run, theirs, is_kept="journal" in options)
    return ours.argmin if return_argmin else space_eval(known, ours.argmin)


class _Watcher(Monitor):
    """Keeps the trials as they end, and ends the run where hyperopt would."""

    def __init__(
        self,
        trials: Trials,
        space: Space,
        early_stop_fn: Callable[..., Any] | None,
        *,
        raises: bool,
        is_resumed: bool,
    ) -> None:
        self.follows_trials = raises or early_stop_fn is not None
        # whether fmin also raises an exception of the objective
        self._raises = raises
        # what early_stop_fn raised
        self._error: BaseException | None = None
        self._trials, self._space = trials, space
        # what a run that is resumed had tried before
        self._before = {one["tid"] for one in trials.documents} if is_resumed else set()
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

    def finish(self, run: Run, theirs: Any, *, is_kept: bool) -> None:
        """Wait for the end and fill in the trials; raise what hyperopt would.

        ``theirs``: hyperopt's own trials, which are also filled. ``is_kept``: whether the user
        has a journal.
        """
        failure: AllTrialsFailed | None = None
        try:
            result: Result = wait_for(run, tells_how_to_resume=is_kept)
        except AllTrialsFailed as error:
            failure, result = error, error.result
        self._trials.fill(result)
        if theirs is not None:
            give_back(self._trials, theirs)
        if self._error is not None:
            raise self._error
        raised = [one for one in result.trials if one.id not in self._before and _has_raised(one)]
        if raised and self._raises:
            first = min(raised, key=lambda trial: trial.end_time or 0)
            raise ObjectiveError(
                f"fn raised in trial {first.id} with {first.params!r}; "
                f"pass catch_eval_exceptions=True to continue after such:\n{first.error}"
            )
        if failure is not None:
            raise failure
        if result.reason == "failed":
            search_failure = search_failure_of(run)
            if search_failure is not None:
                raise SearcherError(search_failure)

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
    return is_failed and fail_result(trial) is None


def _annotated(fn: Callable[..., Any]) -> dict[str, Any]:
    """The space in the annotations of ``fn``."""
    found = dict(getattr(fn, "__annotations__", {}))
    found.pop("return", None)
    return found


def _where(trials: Trials, options: Mapping[str, Any]) -> dict[str, Any]:
    """Where the trials run, and how many at a time."""
    if not isinstance(trials, SparkTrials):
        return {"engine": trials.engine, "workers": 1}
    where = {"engine": trials.engine, "spark": trials.spark_session}
    wanted = trials.parallelism
    if wanted is None or wanted <= 0 or "workers" in options:
        return where
    from asha_bus.driver.spark import most_slots

    slots = most_slots(trials.spark_session)
    if slots is not None and 0 < slots < wanted:
        logger.warning(
            "SparkTrials: parallelism=%d is more than the %d task slots that Spark has: %d trials "
            "run at a time",
            wanted,
            slots,
            slots,
        )
        wanted = slots
    return {**where, "workers": wanted}


def _limit(max_evals: Any, timeout: object, has_end: bool) -> int | None:
    """``max_evals``, checked; InvalidArgument where there is no end at all."""
    if timeout is not None:
        check("timeout", timeout, SECONDS)
    if max_evals is None:
        if timeout is None and not has_end:
            raise InvalidArgument("the run needs an end: give max_evals or timeout (seconds)")
        return sys.maxsize if timeout is None else None
    check("max_evals", max_evals, Rule("a whole number above 0", _is_count))
    return int(max_evals)


def _is_count(value: Any) -> bool:
    """Whether it counts something; a float will do, and what numpy counts with."""
    try:
        return not isinstance(value, (bool, str)) and int(value) == value and value >= 1
    except (TypeError, ValueError, OverflowError):
        return False


def _points(
    space: Space, given: Sequence[Any], earlier: Sequence[Mapping[str, Any]]
) -> list[RawPoint] | None:
    """The points of raw values by label that are new; InvalidArgument names the wrong one."""
    tried = [raw_of(one) for one in earlier]
    points = []
    for number, values in enumerate(given):
        try:
            point = point_of_raw(space, values)
        except InvalidArgument as error:
            raise InvalidArgument(f"points_to_evaluate[{number}]: {error}") from error
        if dict(values) not in tried:
            points.append(RawPoint(point))
    return points or None
