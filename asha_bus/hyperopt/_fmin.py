"""`fmin`: hyperopt's front door, with a run behind it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from asha_bus import launch
from asha_bus.core.checks import ELSEWHERE, SECONDS, Rule, check, check_names, shortened
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.space import Space, as_space
from asha_bus.core.tracebacks import raises_short
from asha_bus.core.trial import FINAL, TrialState
from asha_bus.hyperopt.arguments import (
    give_back,
    points_of,
    remembering,
    searcher_of,
    seed_of,
    trials_of,
)
from asha_bus.hyperopt.documents import raw_of
from asha_bus.hyperopt.labels import labels_of, point_of_raw, space_eval
from asha_bus.hyperopt.objective import fmin_objective
from asha_bus.hyperopt.space import if_hyperopt, is_of_hyperopt
from asha_bus.hyperopt.trials import SparkTrials, Trials, plain_number
from asha_bus.hyperopt.watcher import Watcher
from asha_bus.launching._launch import start_gated
from asha_bus.launching.arguments import FINITE, LaunchArguments
from asha_bus.launching.plan import RawPoint
from asha_bus.objective.kinds import refuse_inside
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
        return_argmin: False returns the best configuration itself, or None if ``fn`` raised in
            all trials. Default True.
        points_to_evaluate: Raw values by label, tried first; they may be outside the bounds.
            Default None.
        max_queue_len: Changes nothing.
        show_progressbar: False shows no progress. Default True.
        early_stop_fn: Called here as ``early_stop_fn(trials, *state)`` after each trial, with
            the state it returned last; it returns (whether to stop, state). No worker gets its
            next trial before that. Default None.
        trials_save_file: Not supported; give ``journal`` instead.
        options: Further arguments of `asha_bus.launch`, such as ``scheduler=ASHA(81)``,
            ``workers``, ``data``, ``journal`` or ``page``.

    Returns:
        The raw values of the best trial by label, for a choice its index; with
        ``return_argmin=False`` the configuration itself.

    Raises:
        InvalidArgument: An argument is wrong; the message names it. Nothing was started.
        ObjectiveError: ``fn`` raised; holds its traceback. If what it raised is a built-in
            exception, or one of a module imported here that takes one text, it is raised by
            its own type, and this is its cause.
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
    refuse_inside("fmin")
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
    data = tuple(options.get("data") or ())
    if by_name:
        space = _annotated(fn, data)
    known = as_space(space, [if_hyperopt])
    labels_of(known)
    ours, theirs = trials_of(trials)
    if isinstance(ours, SparkTrials):
        timeout = timeout if ours.timeout is None else ours.timeout
        loss_threshold = ours.loss_threshold if loss_threshold is None else loss_threshold
    timeout, loss_threshold = plain_number(timeout), plain_number(loss_threshold)
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
    is_resumed = bool(
        options.get("resume") and journal and Path(os.path.expanduser(journal)).exists()
    )
    ours.begin(is_resumed=is_resumed)
    failure: AllTrialsFailed | None = None
    earlier = [] if is_resumed else list(ours.documents)
    left = None if max_evals is None else max_evals - (0 if is_resumed else len(ours))
    searcher = remembering(searcher_of(algo, space), earlier, known)
    if left is None or left > 0:
        settings = {**_where(ours, options), **settings}
        settings["max_trials"] = left
        settings["initial"] = _points(known, points, earlier)
        # a run that is resumed has a seed already
        settings["seed"] = None if is_resumed else seed_of(rstate, len(earlier))
        raises = not (catch_eval_exceptions or ours.engine == "spark")
        watcher = Watcher(
            ours,
            known,
            early_stop_fn,
            raises=raises,
            before=_ended(journal, known, options) if journal and is_resumed else (),
        )
        objective = fmin_objective(
            fn,
            by_name=by_name,
            data=data,
            folder=None if trials is None and early_stop_fn is None else str(ours.folder),
        )
        arguments = LaunchArguments(
            objective,
            known,
            searcher=searcher,
            max_time=timeout,
            stop_at=loss_threshold,
            **settings,
        )
        run = start_gated(arguments, watcher.after if watcher.is_needed else None)
        watcher.attach(run)
        try:
            failure = watcher.finish(run, is_kept="journal" in options)
        finally:
            if theirs is not None:
                give_back(ours, theirs)
    if not return_argmin and not len(ours):
        logger.warning("fmin returns None: no trial has ended without an exception")
        return None
    if failure is not None:
        raise failure
    return ours.argmin if return_argmin else space_eval(known, ours.argmin)


def _annotated(fn: Callable[..., Any], data: Collection[str]) -> dict[str, Any]:
    """The space in the annotations of ``fn``; InvalidArgument if one is no part of a space.

    ``data``: the parameters that are not tuned.
    """
    if not callable(fn):
        raise InvalidArgument(f"fn must be a function, got {shortened(fn)}")
    found = {}
    for name, parameter in signature(fn).parameters.items():
        if name in data or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        has_annotation = parameter.annotation is not parameter.empty
        if has_annotation and is_of_hyperopt(parameter.annotation):
            found[name] = parameter.annotation
        elif has_annotation or parameter.default is parameter.empty:
            shown = shortened(parameter.annotation)
            has = f"has {shown}" if has_annotation else "has no annotation"
            raise _invalid_annotation(
                f'space="annotated" needs an expression of hyperopt for each parameter of fn, such '
                f"as {name}: hp.uniform({name!r}, 0, 1); {name} {has}"
            )
    return found


def _invalid_annotation(message: str) -> InvalidArgument:
    """An error that is also hyperopt's, where hyperopt is there to be caught by its name."""
    if "hyperopt" not in sys.modules:
        return InvalidArgument(message)
    from asha_bus.hyperopt.exceptions import InvalidAnnotatedParameter

    return InvalidAnnotatedParameter(message)


def _ended(path: Any, space: Space, options: Mapping[str, Any]) -> frozenset[int]:
    """The trials that ended in earlier launches of the run that the journal at ``path`` keeps."""
    scheduler = options.get("scheduler")
    found = Result.from_journal(path, space, () if scheduler is None else [type(scheduler)])
    again = {TrialState.CANCELLED}
    if options.get("retry_failed"):
        again |= {TrialState.FAILED, TrialState.LOST}
    return frozenset(one.id for one in found.trials if one.state in FINAL - again)


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
            point = point_of_raw(space, values, is_bounded=False)
        except InvalidArgument as error:
            raise InvalidArgument(f"points_to_evaluate[{number}]: {error}") from error
        if dict(values) not in tried:
            points.append(RawPoint(point))
    return points or None
