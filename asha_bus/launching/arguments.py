"""The arguments of a launch: each is declared here once, with its type, default and check."""

# Annotations are evaluated here: the checks are read from the types of the fields.

import functools
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from os import PathLike
from typing import TYPE_CHECKING, Annotated, Literal, ParamSpec, TypeVar, get_args, get_origin

from asha_bus.core.checks import (
    PATH,
    PORT,
    SECONDS,
    SWITCH,
    Rule,
    check_fields,
    check_names,
    one_of,
    whole,
)
from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.core.schedulers import Scheduler
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import Space
from asha_bus.launching.options import BusOptions
from asha_bus.monitors.choice import MonitorChoice
from asha_bus.objective.kinds import to_metric
from asha_bus.searchers.base import Suggests

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyspark.sql import SparkSession

    from asha_bus.results.result import Result

P = ParamSpec("P")
T = TypeVar("T")

Mode = Literal["min", "max"]
EngineName = Literal["spark", "local"]

#: Arguments that there were, and what to use in their place.
_INSTEAD = {"block": "launch(...) to wait for the result, start(...) for a Run at once"}


def _is_finite(value: object) -> bool:
    try:
        return math.isfinite(to_metric(value))
    except ObjectiveError:
        return False


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
    "RandomSearch(), an object with a method suggest(branch, history), or None",
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
_INITIAL = Rule("a list of configurations", types=(list, tuple))


@dataclass(frozen=True, eq=False, repr=False)
class LaunchArguments:
    """What `asha_bus.launch` and `asha_bus.start` take; `asha_bus.launch` says what each means.

    Raises `InvalidArgument`, naming the first argument that is wrong in itself, or that does
    not go with another one.
    """

    objective: Callable[..., object]
    space: Space | Mapping[str, object]
    _: KW_ONLY
    mode: Annotated[Mode, one_of(Mode)] = "min"
    scheduler: Annotated[Scheduler | None, _SCHEDULER] = None
    searcher: Annotated[RandomSearch | Suggests | None, _SEARCHER] = None
    max_trials: Annotated[int | None, whole(1)] = None
    max_time: Annotated[float | None, SECONDS] = None
    stop_at: Annotated[float | None, Rule("a finite number", _is_finite)] = None
    spark: "SparkSession | None" = None
    engine: Annotated[EngineName, one_of(EngineName)] = "spark"
    workers: Annotated[int | None, whole(1)] = None
    seed: Annotated[int | None, whole(0)] = None
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
    history: "Result | DataFrame | None" = None
    initial: Annotated[Sequence[Mapping[str, object]] | None, _INITIAL] = None
    unique: Annotated[bool, SWITCH] = False
    repeats: Annotated[int, whole(1)] = 1
    retries: Annotated[int, whole(0)] = 0
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
                "BusOptions: sd_file names the endpoint of metrics_port: give metrics_port, too"
            )
        if self.resume and self.journal is None:
            raise InvalidArgument("resume=True needs the journal to go on with: give journal=PATH")
        if self.retry_failed and not self.resume:
            raise InvalidArgument(
                "retry_failed=True is for a run that is resumed: give resume=True"
            )
        if self.engine == "local" and self.spark is not None:
            raise InvalidArgument("spark was given together with engine='local'; leave one out")

    @property
    def learns(self) -> bool:
        """Whether the searcher looks at what came of its configurations."""
        return self.searcher is not None and not isinstance(self.searcher, RandomSearch)


class _Shown(str):
    """A type as a signature shows it: without its check, without modules, without quotes."""

    def __new__(cls, annotation: object) -> "_Shown":
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        shown = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        return super().__new__(cls, re.sub(r"\b(\w+\.)+", "", shown))

    def __repr__(self) -> str:
        return str(self)


def _taking(
    arguments: Callable[P, LaunchArguments],
) -> Callable[[Callable[[LaunchArguments], T]], Callable[P, T]]:
    """Give a function of `LaunchArguments` their signature, for readers and for type checkers."""
    fields = inspect.signature(arguments)
    plain = [
        each.replace(annotation=_Shown(each.annotation)) for each in fields.parameters.values()
    ]

    def decorate(function: Callable[[LaunchArguments], T]) -> Callable[P, T]:
        """``function`` with the arguments, which it gets checked and as one."""
        returns = inspect.signature(function).return_annotation
        signature = fields.replace(parameters=plain, return_annotation=_Shown(returns))

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            check_names(f"{function.__name__}()", kwargs, fields.parameters, _INSTEAD)
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{function.__name__}(): {error}") from None
            return function(arguments(*args, **kwargs))

        call.__signature__ = signature  # type: ignore[attr-defined]
        return call

    return decorate


#: Makes a function of `LaunchArguments` one that takes them as arguments of its own.
takes_arguments = _taking(LaunchArguments)


def with_args_of(one: Callable[..., object], other: Callable[..., object]) -> str:
    """The docstring of ``other``, its "Args:" section replaced by that of ``one``."""
    theirs, ours = ((inspect.getdoc(each) or "").split("\n\n") for each in (one, other))
    [args] = [part for part in theirs if part.startswith("Args:")]
    return "\n\n".join(args if part.startswith("Args:") else part for part in ours)
