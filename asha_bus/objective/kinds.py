"""The kinds of objectives: the trial that one gets, and checks of what it takes."""

from __future__ import annotations

import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from asha_bus.core.checks import name_of
from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.core.space import Space
from asha_bus.objective.behind import (
    Shape,
    declared_shape,
    is_asynchronous,
    is_decorated,
    is_generator,
    parameters_of,
)
from asha_bus.objective.values import shown_with_type

#: What the trials of other tuners have under other names.
_INSTEAD = {
    "number": "trial.id",
    "config": "trial.params",
    "should_prune": "trial.should_stop, or what trial.report() returns",
    "suggest_": "trial.params, which has the values drawn from the space",
    "set_user_attr": "trial.report(metric, name=value)",
}

#: Set in a worker while the user's code runs.
INSIDE = threading.Event()


def refuse_inside(function: str) -> None:
    """InvalidArgument where ``function``, which runs trials, is called by a running objective."""
    if INSIDE.is_set():
        raise InvalidArgument(
            f"{function}() was called inside a running objective; tune one level at a time: "
            f"call {function}() from the driver, and plain functions in the objective"
        )


class TrialFailed(ObjectiveError):
    """Raised by an objective that fails its own trial; ``extras`` are kept with the trial.

    Raised from another exception, it fails the trial with the traceback of that one.
    """

    def __init__(self, message: str, extras: dict[str, Any]) -> None:
        super().__init__(message)
        self.extras = extras


class Trial(ABC):
    """The trial that an objective gets if its first argument is named ``trial``.

    Iterating over it yields 0, 1, 2 and so on until the trial is stopped; after a `checkpoint`
    that loaded a state, it begins at the resource of that.

    Attributes:
        id: The number of the trial in the run, from 0.
        attempt: The number of the attempt, from 1; it grows if a worker was lost or an
            attempt failed.
        seed: A seed for the objective's own random generators, the same in every attempt.
        repeat: The number of the repeat of the configuration, from 0: for instance the fold
            to leave out. Always 0 without ``launch(repeats=...)``.
        params: The parameters, in the structure of the space.

    Example:
        >>> def train(trial):
        ...     model = build(**trial.params)
        ...     for step in trial:  # ends when the trial is stopped
        ...         trial.report(model.fit_one_epoch(), step)
    """

    id: int
    attempt: int
    seed: int
    repeat: int
    params: Any

    if not TYPE_CHECKING:  # which knows the attributes there are

        def __getattr__(self, name):
            known = "suggest_" if name.startswith("suggest_") else name
            hint = f"; use {_INSTEAD[known]}" if known in _INSTEAD else ""
            raise AttributeError(f"a Trial has no attribute {name!r}{hint}")

    @property
    @abstractmethod
    def should_stop(self) -> bool:
        """Whether the trial should end now, because it was stopped or is over."""

    @abstractmethod
    def report(self, metric: Any = ..., /, resource: Any = None, **extras: Any) -> bool:
        """Report a metric; the answer says whether to continue.

        Args:
            metric: Required, also as ``metric=``. One number: an int, float, numpy scalar, or
                an array or tensor with one element.
            resource: The resource spent so far, in epochs or any other unit. It must grow; a
                report at the same resource as the last one is ignored with a warning. If the
                first report is at 0, as of ``for step in trial``, it is the number of the
                step, and the resource is one more. None (default): the last resource + 1.
            **extras: At most 64 plain values to keep with the trial: numbers, booleans,
                None, scalars of numpy, or strings of at most 2,048 characters. Beside a metric
                by position, each name but ``resource`` may be an extra, ``metric`` included.

        Returns:
            True to continue, False to stop.

        Raises:
            ObjectiveError: ``metric`` is not a number, or ``resource`` or ``extras`` cannot
                be used. The trial fails unless the objective catches it.

        Example:
            >>> def train(trial):
            ...     for epoch in range(1, 11):
            ...         loss = 1 / epoch
            ...         if not trial.report(loss, epoch, lr=0.1):
            ...             break
        """

    @property
    @abstractmethod
    def resource(self) -> float:
        """The resource of the last report; 0 before the first one."""

    @abstractmethod
    def checkpoint(self, save: Callable[[str], object], load: Callable[[str], object]) -> float:
        """Say how the state of the trial is saved if its worker cannot keep it in memory.

        A paused trial stays in the memory of its worker, and nothing is saved. Only where
        ``max_resident`` of the scheduler or the memory does not allow that, ``save`` is called,
        in the report at which the trial paused, which then returns False. If the trial is to
        continue after all, the objective is called again, maybe in another worker, and this
        method calls ``load`` before it returns. What cannot be saved or loaded is trained from
        the start, with a warning. ``trial_timeout`` includes the time of both.

        Call it once, before the first report. The states are kept in ``launch(artifacts=...)``
        until they were loaded or the trial has ended.

        Args:
            save: A function that writes the state to the path that it gets: to a file or a
                folder, which it makes.
            load: A function that restores the state from the path that it gets.

        Returns:
            The resource at which the state was saved if one was loaded, else 0: how much of the
            training is done.

        Raises:
            ObjectiveError: ``save`` or ``load`` is not a function, or the call is the second one
                or comes after a report. The trial fails unless the objective catches it.

        Example:
            >>> def train(trial):
            ...     model = build(**trial.params)
            ...     trial.checkpoint(model.save, model.load)
            ...     for step in trial:  # begins where the loaded state was saved
            ...         trial.report(model.fit_one_epoch())
        """

    @abstractmethod
    def attach(self, name: str, value: bytes | str | PathLike[str]) -> None:
        """Have a file kept with the trial if it completes as one of the best.

        It is read at once and kept in memory; a second one of the same name replaces it. When
        the trial has completed, it is written to ``launch(artifacts=FOLDER)`` if the trial is
        then among the best ``keep_artifacts``; the files of trials that are not are removed.
        Nothing is written for a trial that is stopped, fails or is lost. One whose last report
        has completed it may still attach what it trained. `TrialRecord.artifact`
        finds the file. A generator or a function yields or returns
        ``(metric, {"attach": {name: value}})`` to the same end.

        Args:
            name: Letters, digits, ``_``, ``.`` and ``-``, at most 100.
            value: The bytes, or the path of a file that has them. At most
                ``BusOptions.max_artifact_bytes``.

        Raises:
            ObjectiveError: The run has no folder, it cannot be written to, or the value or its
                name cannot be used. The trial fails unless the objective catches it.

        Example:
            >>> def train(trial):
            ...     model = build(**trial.params)
            ...     for step in trial:
            ...         loss = model.fit_one_epoch()
            ...         trial.attach("model", pickle.dumps(model))
            ...         trial.report(loss)
        """

    @abstractmethod
    def log(self, text: str) -> None:
        """Send a line to the driver, which logs it and adds it to the trial's ``log``.

        Args:
            text: The line; beyond 16,000 characters its middle is cut out.

        Example:
            >>> def train(trial):
            ...     trial.log(f"starting with {trial.params}")
        """

    @abstractmethod
    def __iter__(self) -> Iterator[int]:
        """Yield 0, 1, 2 and so on, or from a loaded resource on, until the trial is stopped."""


def shape_of(objective: object) -> Shape:
    """The kind of ``objective``; raises `InvalidArgument` if it is not an objective."""
    if not callable(objective):
        raise InvalidArgument(f"objective must be a function, got {shown_with_type(objective)}")
    if inspect.isclass(objective):
        raise InvalidArgument(
            f"objective must be a function, got the class {objective.__name__}; "
            f"pass an instance with __call__, or a function"
        )
    if is_asynchronous(objective):
        raise InvalidArgument(
            f"objective {name_of(objective)} is asynchronous; write a plain function, "
            f"which may run asyncio.run() inside"
        )
    declared = declared_shape(objective)
    if declared is not None:
        return declared
    parameters = parameters_of(objective)
    takes_trial = bool(parameters) and parameters[0].name == "trial"
    if is_generator(objective):
        if takes_trial:
            raise InvalidArgument(
                f"objective {name_of(objective)} takes trial and yields; either report with "
                f"trial.report(...), or take the parameters and yield"
            )
        return Shape.GENERATOR
    return Shape.TRIAL if takes_trial else Shape.FUNCTION


def check_takes(objective: Callable[..., Any], space: Space, data: Collection[str] = ()) -> None:
    """Check that an objective can be called with every configuration of ``space``.

    ``data``: the names of the data that it also gets. Raises `InvalidArgument` if not.
    """
    for name in data:
        if name == "trial" or any(name in member.names for member in space.members):
            raise InvalidArgument(
                f"data has {name!r}, a name that the space or the trial also uses; rename it"
            )
        _check_takes_data(objective, name)
    if space.is_positional:
        _check_takes_one(objective, data)
        return
    members = space.members
    for number, member in enumerate(members):
        which = f"member {number} of the space" if len(members) > 1 else "the space"
        check_parameters(objective, member.names, which, data)


def _check_takes_data(objective: Callable[..., Any], name: str) -> None:
    for parameter in parameters_of(objective):
        if parameter.kind is parameter.VAR_KEYWORD:
            return
        if parameter.name == name and parameter.kind is not parameter.POSITIONAL_ONLY:
            return
    raise InvalidArgument(
        f"data has {name!r}, which objective {name_of(objective)} does not take; add it to the "
        f"function, or remove it from data"
    )


def _check_takes_one(objective: Callable[..., Any], data: Collection[str]) -> None:
    """Check that an objective takes one positional argument, or a trial."""
    if shape_of(objective) is Shape.TRIAL:
        check_parameters(objective, [], data=data)
        return
    parameters = [p for p in parameters_of(objective) if p.name not in data]
    takes_one = any(p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters[:1])
    if not takes_one or any(map(_is_required, parameters[1:])):
        raise InvalidArgument(
            f"objective {name_of(objective)} must take one argument by position, because the "
            f"space is not a dict; it takes {', '.join(p.name for p in parameters) or 'nothing'}"
        )


def _is_required(parameter: inspect.Parameter) -> bool:
    variable = (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and parameter.kind not in variable


def check_parameters(
    objective: Callable[..., Any],
    names: Sequence[str],
    which: str = "the space",
    data: Collection[str] = (),
) -> None:
    """Check that an objective can be called with ``names``; raises `InvalidArgument` if not.

    ``which``: what has these names, for the message. ``data``: more names that it gets.
    """
    if shape_of(objective) is Shape.TRIAL:
        required = [
            parameter.name
            for parameter in parameters_of(objective)[1:]
            if _is_required(parameter) and parameter.name not in data
        ]
        if required:
            raise InvalidArgument(
                f"objective {name_of(objective)} takes trial and also requires "
                f"{', '.join(required)}; read them from trial.params, or pass them as "
                f"data{_hint(objective)}"
            )
        return
    accepted: set[str] = set()
    for parameter in parameters_of(objective):
        if parameter.kind is parameter.VAR_KEYWORD:
            accepted.update(names)
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            if parameter.default is parameter.empty:
                raise InvalidArgument(
                    f"objective {name_of(objective)} takes {parameter.name} by position only, but "
                    f"parameters are passed by name; remove the / from its signature"
                )
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            accepted.add(parameter.name)
            is_given = parameter.name in names or parameter.name in data
            if parameter.default is parameter.empty and not is_given:
                raise InvalidArgument(
                    f"objective {name_of(objective)} requires {parameter.name}, which {which} "
                    f"lacks (it has {', '.join(names)}); add it to the space, give it a default, "
                    f"or pass it as data={{{parameter.name!r}: ...}}{_hint(objective)}"
                    f"{_names_hint(objective, names)}"
                )
    for name in names:
        if name not in accepted:
            raise InvalidArgument(
                f"{which} has {name}, which objective {name_of(objective)} does not take; add it "
                f"to the function, or **params, or remove it from the space{_hint(objective)}"
            )


def _hint(objective: Callable[..., Any]) -> str:
    """What else to do where a decorator shows the signature of what it wraps."""
    hint = "; if its decorator changes its arguments, declare it with ab.objective_kind(...)"
    return hint if is_decorated(objective) else ""


def _names_hint(objective: Callable[..., Any], names: Sequence[str]) -> str:
    """How parameters come, where an objective takes none of them: perhaps it wants them all."""
    if any(parameter.name in names for parameter in parameters_of(objective)):
        return ""
    return f"; parameters come by name, as in {name_of(objective)}({', '.join(names)})"
