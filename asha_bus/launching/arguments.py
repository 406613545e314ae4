"""The arguments of a launch: each is declared here once, with its type, default and check."""

# Annotations are evaluated here: the checks are read from the types of the fields.

import functools
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, fields
from os import PathLike
from typing import TYPE_CHECKING, Annotated, Literal, ParamSpec, TypeVar

from asha_bus.core.checks import (
    ABOVE_0,
    PATH,
    PORT,
    SECONDS,
    SWITCH,
    Rule,
    check_fields,
    check_names,
    one_of,
    plain_signature,
    whole,
)
from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.core.schedulers import Scheduler
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import Space
from asha_bus.core.tracebacks import raises_short
from asha_bus.launching.options import BusOptions
from asha_bus.monitors.choice import MonitorChoice
from asha_bus.objective.values import to_metric
from asha_bus.searchers.base import Suggests
from asha_bus.searchers.hooks import StopsRun, StopsTrial

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyspark.sql import SparkSession

    from asha_bus.results.result import Result

P = ParamSpec("P")
T = TypeVar("T")

Mode = Literal["min", "max"]
EngineName = Literal["spark", "local"]

_MONITOR = "monitor='progress', or None for silence"

#: Arguments that there were, or that are others elsewhere, and what to use in their place.
_INSTEAD = {
    "metric": "mode='min' or 'max'; the metric is the number that the objective reports",
    "directions": "mode='min' or 'max'; a run has one metric",
    "verbose": _MONITOR,
    "show_progressbar": _MONITOR,
    "show_progress_bar": _MONITOR,
    "trials_save_file": "journal=PATH",
    "block": "launch(...) to wait for the result, start(...) for a Run at once",
    "options": "bus=BusOptions(...)",
    **{field.name: f"bus=BusOptions({field.name}=...)" for field in fields(BusOptions)},
}


_POSITIONAL = "only objective and space are positional; write scheduler=..., max_trials=... by name"


def _is_finite(value: object) -> bool:
    try:
        return math.isfinite(to_metric(value))
    except ObjectiveError:
        return False


FINITE = Rule("a finite number", _is_finite)
DATA = Rule(
    "a dict of objects by the names that the objective takes them by",
    lambda value: isinstance(value, Mapping) and all(isinstance(name, str) for name in value),
)
_NAME = Rule(
    "letters, digits, '_', '.' and '-', 64 at most",
    lambda value: bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", value)),
    (str,),
)
_SCHEDULER = Rule(
    "a scheduler such as ASHA(max_resource=81), or None for no early stopping",
    lambda value: isinstance(value, Scheduler),
)
_SEARCHER = Rule(
    "RandomSearch(), TPE(), OptunaSearcher(sampler), an object with a method "
    "suggest(branch, history), or None",
    lambda value: (
        not isinstance(value, type)
        and (isinstance(value, RandomSearch) or callable(getattr(value, "suggest", None)))
    ),
)
_BUS = Rule("BusOptions(...)", lambda value: isinstance(value, BusOptions))
_TIMEOUT = Rule(f"{SECONDS.words}, or None for no limit", SECONDS.holds, SECONDS.types)
_METRICS_PORT = Rule(
    "a whole number from 0 (any free port) to 65535, or None", PORT.holds, PORT.types
)
_PAGE = Rule(
    "True, False or a port from 1 to 65535",
    lambda value: isinstance(value, bool) or 0 < value <= 65_535,
    (bool, int),
)
_STOPS_TRIAL = Rule("a function that gets a TrialRecord and returns True or False", callable)
_STOPS_RUN = Rule("a function that gets a RunSummary and returns True or False", callable)
_FOLDER = Rule("the path of a folder, or an address such as s3://bucket/folder", PATH.holds)
_INITIAL = Rule("a list of configurations", types=(list, tuple))


@dataclass(frozen=True, eq=False, repr=False)
class LaunchArguments:
    """Tune an objective over a space: `launch` waits for the `Result`, `start` gives a `Run`.

    Args:
        objective: What is to be tuned. A function of the space's parameters that returns a
            number; or a generator function of them that yields a number per unit of
            resource, and is closed when the trial is stopped; or a function whose first
            parameter is named ``trial``, a `Trial`, and which reports by hand.
        space: A `Space`, a dict of parameters, or a space of hyperopt.
        mode: Which metric is better: ``"min"`` (default) or ``"max"``.
        scheduler: What stops trials early, such as `ASHA`, or also pauses them, such as
            `SuccessiveHalving`. Default None: every trial runs to its end.
        searcher: What suggests configurations: `RandomSearch`, a `Searcher`, or any object
            with its methods. One that learns runs in a process of its own. Default None:
            random search.
        max_trials: The run ends after this many trials. It, ``max_time`` or
            ``max_total_resource`` is needed unless the space is finite, or the scheduler says how
            many configurations it is made for, which is the default then. Else default None.
        max_time: The run ends after this many seconds: no new trial begins; running ones are
            asked to stop at their next report, interrupted after 2 s, and killed after 5 s. Of
            a resumed run it is the total over all launches. Default None.
        max_total_resource: The most resource that all trials get together, such as epochs. A
            trial begins or continues only if what it needs to its next rung is left; what
            was lost with a worker counts. The run ends when nothing more fits. Without rungs
            reports are counted, and each worker may exceed it by one report. Of a resumed
            run it is the total over all launches. Default None.
        stop_at: The run ends when a trial's last metric is as good as this, even if the trial
            is one of several repeats. Default None.
        stop_trial: A function that gets the `TrialRecord` of each trial that has just entered
            a rung, whose ``rungs`` tell its course. True stops the trial at its next report,
            or at once if it has paused. It runs in a process of its own. Default None.
        stop_run: A function that gets a `RunSummary`, at each rung entry and end of a trial
            but at most five times a second. True ends the run with reason ``"stop_run"``. It
            runs in the same process as ``stop_trial``. Default None.
        spark: The `SparkSession` to use. Default None: the active one, or a new one.
        engine: ``"spark"`` (default), or ``"local"`` for processes of this machine.
        workers: How many trials run at a time, at most. Default None: all slots or cores, on a
            cluster also those that come during the run.
        seed: The same seed tries the same configurations. Default None: one is drawn, which
            ``Result.seed`` tells.
        name: The run's name in Spark's UI, and for logging as ``asha_bus.<name>``: letters,
            digits, ``_``, ``.`` and ``-``, 64 at most. Default None: a random name.
        monitor: What is shown meanwhile: ``"progress"`` (default) for one line, ``"text"`` for
            a table, ``"rungs"`` or ``"curves"`` for a chart in a notebook, a `Monitor`, a list
            of these, or None for nothing.
        bus: How the bus listens and how patient it is. Default None: Spark's configuration
            ``spark.ashaBus.<option>``, and the defaults of `BusOptions`.
        journal: The file that keeps the run, so that it can be resumed. Default None: a
            temporary one.
        resume: True continues the run in ``journal``, or begins it if there is no such file.
            Ended trials and all rungs stand; what was running or cancelled is run again.
            Space, scheduler, mode, objective and seed (if given) must be the same.
            ``max_trials``, ``max_time`` and ``max_total_resource`` are totals over all
            launches; the time between two launches does not count. Successive halving and
            Hyperband need the same ``max_trials``. Default False.
        retry_failed: True runs failed and lost trials of a resumed run again. Default False.
        trial_timeout: Seconds that one attempt at a trial may take, clean-up included; time for
            which it is paused does not count. Then it is interrupted and fails; 5 s later its
            worker's process is replaced. Default None: no limit.
        max_failures: The run ends with reason ``"failed"`` when more trials than this failed
            or were lost. Default None: only if the first five trials all failed.
        fail_fast: True ends the run at the first failed trial. Default False.
        capture_output: True also keeps what the objective writes to sys.stdout and sys.stderr
            in its trial's ``log``. What native code and child processes write is not
            captured. Default False.
        data: More arguments of the objective by name: arrays, tables, anything that can be
            pickled. Each executor gets them once, each task loads them once. A DataFrame of
            Spark arrives as an Arrow table. ``BusOptions.max_data_bytes`` limits each.
            Default None.
        artifacts: An existing folder that all workers see, for what the best trials attach
            (`Trial.attach`), and for the states of paused trials that a worker cannot keep in
            memory and that `Trial.checkpoint` knows how to save. These states are removed once
            they are not needed, at the latest at the end of the run. With the same folder, a
            resumed run finds both. Default None: nothing can be attached; states have a
            temporary folder with ``engine="local"``, and on Spark nothing is saved, so such
            trials are trained again. An address of fsspec, such as ``"s3://bucket/folder"``, takes
            what is attached, and no states; it needs ``pip install 'asha-bus[fsspec]'`` and the
            package of that store, also on the executors.
        keep_artifacts: Of how many trials what they attached stays in ``artifacts``: of those
            completed ones with the best last metrics. Each repeat counts. Default 1.
        history: Earlier trials for a searcher that learns: a `Result`, or a table like that of
            `Result.to_pandas`. Trials that do not fit into the space are left out. Default
            None.
        initial: Configurations to try first, each a dict as the objective gets it. Default
            None.
        unique: True never runs a configuration twice, and ends the run with reason
            ``"exhausted"`` when there is none left. Default False.
        repeats: How many trials try each configuration, each with a seed of its own;
            `Trial.repeat` numbers them from 0. Rungs are decided on their mean, the best
            configuration has the best mean, and each counts in ``max_trials``. Default 1.
        retries: How often a trial is restarted when an attempt raised, or ran longer than
            ``trial_timeout``, before it has failed. What the attempts raised is kept in its
            ``log``. Default 0.
        curves: True (default) keeps learning curves in the result and the journal: the metric
            and up to 8 numeric extras at no more than 200 reports between rungs of a trial,
            and 1,000,000 numbers of a run. Longer curves are thinned out. False keeps only
            reports at rungs and the last one.
        metrics_port: The port of the run's metrics for Prometheus, at
            ``BusOptions.metrics_host``, open until 15 s after the result was returned. 0 takes
            a free port and prints it. Runs of one process may share a port. Default None: no
            metrics.
        page: True serves a live page of the run at a free port of this machine and prints its
            address; a number is the port. It stays open until another run with a page ends.
            Needs ``pip install 'asha-bus[page]'``. Default False.

    Returns:
        A `Result` from `launch`, a `Run` from `start`.

    Raises:
        InvalidArgument: An argument is wrong in itself, or does not go with another one; the
            message names it.

    Example:
        ::

            result = ab.launch(train, space, scheduler=ab.ASHA(81), max_trials=200)
    """

    objective: Callable[..., object]
    space: Space | Mapping[str, object]
    _: KW_ONLY
    mode: Annotated[Mode, one_of(Mode)] = "min"
    scheduler: Annotated[Scheduler | None, _SCHEDULER] = None
    searcher: Annotated[RandomSearch | Suggests | None, _SEARCHER] = None
    max_trials: Annotated[int | None, whole(1)] = None
    max_time: Annotated[float | None, SECONDS] = None
    max_total_resource: Annotated[float | None, ABOVE_0] = None
    stop_at: Annotated[float | None, FINITE] = None
    stop_trial: Annotated[StopsTrial | None, _STOPS_TRIAL] = None
    stop_run: Annotated[StopsRun | None, _STOPS_RUN] = None
    spark: "SparkSession | None" = None
    engine: Annotated[EngineName, one_of(EngineName)] = "spark"
    workers: Annotated[int | None, whole(1)] = None
    seed: Annotated[int | None, whole(0, 2**63 - 1)] = None
    name: Annotated[str | None, _NAME] = None
    monitor: MonitorChoice = "progress"
    bus: Annotated[BusOptions | None, _BUS] = None
    journal: Annotated[str | PathLike[str] | None, PATH] = None
    resume: Annotated[bool, SWITCH] = False
    retry_failed: Annotated[bool, SWITCH] = False
    trial_timeout: Annotated[float | None, _TIMEOUT] = None
    max_failures: Annotated[int | None, whole(0)] = None
    fail_fast: Annotated[bool, SWITCH] = False
    capture_output: Annotated[bool, SWITCH] = False
    data: Annotated[Mapping[str, object] | None, DATA] = None
    artifacts: Annotated[str | PathLike[str] | None, _FOLDER] = None
    keep_artifacts: Annotated[int, whole(1)] = 1
    history: "Result | DataFrame | None" = None
    initial: Annotated[Sequence[Mapping[str, object]] | None, _INITIAL] = None
    unique: Annotated[bool, SWITCH] = False
    repeats: Annotated[int, whole(1)] = 1
    retries: Annotated[int, whole(0)] = 0
    curves: Annotated[bool, SWITCH] = True
    metrics_port: Annotated[int | None, _METRICS_PORT] = None
    page: Annotated[bool | int, _PAGE] = False

    def __post_init__(self) -> None:
        check_fields(self)
        if self.history is not None and not self.learns:
            raise InvalidArgument(
                "history is for a searcher that learns: give searcher=TPE(), for instance, or "
                "leave history out"
            )
        if self.bus is not None and self.bus.sd_file is not None and self.metrics_port is None:
            raise InvalidArgument(
                "BusOptions: sd_file names the endpoint of metrics_port: also pass metrics_port"
            )
        if self.resume and self.journal is None:
            raise InvalidArgument("resume=True needs the run's journal; pass journal=PATH")
        if self.retry_failed and not self.resume:
            raise InvalidArgument("retry_failed=True needs resume=True")
        if self.engine == "local" and self.spark is not None:
            raise InvalidArgument("spark was given together with engine='local'; leave one out")

    @property
    def hooks(self) -> bool:
        """Whether there are functions that stop trials or the run."""
        return self.stop_trial is not None or self.stop_run is not None

    @property
    def learns(self) -> bool:
        """Whether the searcher looks at what came of its configurations."""
        return self.searcher is not None and not isinstance(self.searcher, RandomSearch)


def _parts(documented: object) -> list[str]:
    return (inspect.getdoc(documented) or "").split("\n\n")


def _is_args(part: str) -> bool:
    return part.startswith("Args:")


def _taking(
    arguments: Callable[P, LaunchArguments],
) -> Callable[[Callable[[LaunchArguments], T]], Callable[P, T]]:
    """Give a function of `LaunchArguments` their signature and their "Args:" section.

    Type checkers and editors read the same from the types: to them the function has the
    parameters of the class's constructor, and its docstring.
    """
    plain = plain_signature(arguments)
    args = next(filter(_is_args, _parts(arguments)), "")  # none where Python leaves them out

    def decorate(function: Callable[[LaunchArguments], T]) -> Callable[P, T]:
        """``function`` with the arguments, which it gets checked and as one."""
        returns = plain_signature(function).return_annotation
        signature = plain.replace(return_annotation=returns)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            check_names(f"{function.__name__}()", kwargs, plain.parameters, _INSTEAD)
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                why = _POSITIONAL if "positional" in str(error) else error
                raise TypeError(f"{function.__name__}(): {why}") from None
            return function(arguments(*args, **kwargs))

        call.__signature__ = signature  # type: ignore[attr-defined]
        call.__annotations__ = {
            each.name: each.annotation for each in signature.parameters.values()
        } | {"return": returns}
        del call.__wrapped__  # which takes other arguments
        parts = [args if _is_args(part) else part for part in _parts(function)]
        call.__doc__ = "\n\n".join(parts)
        return raises_short(call)

    return decorate


#: Makes a function of `LaunchArguments` one that takes them as arguments of its own.
takes_arguments = _taking(LaunchArguments)
