"""Trying an objective here, in this process, before a cluster is spent on it."""

from __future__ import annotations

import functools
import io
import os
import pickle
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any, cast

from asha_bus.core import messages as m
from asha_bus.core.checks import SWITCH, check, checked, name_of, shortened, shown_params, whole
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import Space, as_space
from asha_bus.core.worker import Worker
from asha_bus.executor.client import Client
from asha_bus.executor.interrupt import Interrupter
from asha_bus.executor.keeping import Keeper
from asha_bus.executor.output import Outbox
from asha_bus.executor.runner import Runner
from asha_bus.hyperopt.space import if_hyperopt
from asha_bus.launching.arguments import DATA
from asha_bus.launching.job import Keeping
from asha_bus.launching.options import BusOptions
from asha_bus.monitors.screen import print_text
from asha_bus.objective.closure import (
    check_space_travels,
    check_travels,
    imported_by,
    is_driver_only,
)
from asha_bus.objective.data import gather
from asha_bus.objective.kinds import check_takes, refuse_inside, shape_of
from asha_bus.objective.shared import dumps
from asha_bus.objective.weight import warnings_of_weight
from asha_bus.results.tables import table

#: Below every resource there is: asked for there, a trial asks at each of its reports.
_ALWAYS = 5e-324


@dataclass(frozen=True)
class Step:
    """One report: what was reported, and how many seconds it took since the one before."""

    resource: float
    metric: float
    extras: Mapping[str, Any]
    seconds: float


@dataclass
class Rehearsal:
    """One trial of a dry run."""

    params: Any
    steps: list[Step] = field(default_factory=list)
    #: ``stopped`` after the last step, ``completed`` by itself, or ``failed``.
    outcome: str = "stopped"
    #: The traceback of a failed one, or of what went wrong after the stop.
    error: str | None = None
    #: Seconds from the last report to the end, clean-up included.
    ending_s: float = 0.0
    #: What it logged, and warnings about it.
    log: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class DryRun:
    """What `dry_run` returns; its text is what it prints."""

    objective: str
    trials: tuple[Rehearsal, ...]
    #: The objective as it travels to each worker, and the space, in bytes.
    objective_bytes: int
    space_bytes: int
    #: What will go wrong, or slowly, on a cluster.
    problems: tuple[str, ...]

    def __repr__(self) -> str:
        trials, problems = len(self.trials), len(self.problems) or "no"
        return (
            f"DryRun of {self.objective}: {trials} trial{'s' * (trials != 1)}, "
            f"{problems} problem{'s' * (problems != 1)}"
        )

    def __str__(self) -> str:
        lines = [
            f"dry run of {self.objective}: the objective travels as {self.objective_bytes:,} "
            f"bytes, the space as {self.space_bytes:,}"
        ]
        for number, trial in enumerate(self.trials):
            lines += ["", f"trial {number}: {shown_params(trial.params)}"]
            if trial.steps:
                rows = [
                    (f"{s.resource:g}", f"{s.metric:g}", f"{s.seconds:.3f}", _shown(s.extras))
                    for s in trial.steps
                ]
                lines.append(table(rows, head=("resource", "metric", "seconds", "extras")))
            lines += [f"log: {text}" for text in trial.log]
            ended = f", and ended {trial.ending_s:.3f} s after its last report"
            lines.append(f"{trial.outcome}{ended if trial.steps else ' without a report'}")
            if trial.error:
                lines.append(trial.error.rstrip())
        lines += ["", *(f"problem: {text}" for text in self.problems or ())]
        return "\n".join(lines).rstrip()


#: What to use in place of arguments of `launch`.
_INSTEAD = {
    "max_trials": "n",
    "max_resource": "steps",
    **{
        name: f"launch({name}=...), since a dry run stops its trials by steps alone"
        for name in ("stop_trial", "stop_run")
    },
}


@checked(_INSTEAD)
def dry_run(
    objective: Callable[..., object],
    space: Space | Mapping[str, object],
    *,
    n: int = 1,
    steps: int = 2,
    seed: int = 0,
    data: Mapping[str, object] | None = None,
    quiet: bool = False,
) -> DryRun:
    """Run the objective in this process, as a worker would, and print what it did.

    The objective is pickled and unpickled as on its way to a worker, and run by the worker's
    own code: mistakes show in a second, before a cluster is spent on them. Schedulers and
    functions that stop trials are not asked.

    Args:
        objective: As for `launch`.
        space: As for `launch`.
        n: How many random configurations to try. Default 1.
        steps: The number of reports after which each trial is stopped. Default 2.
        seed: The seed by which the configurations are drawn. Default 0.
        data: Objects for the objective by name, as for `launch`.
        quiet: True prints nothing. Default False.

    Returns:
        A `DryRun` with each trial's reports and times, and with the ``problems`` that a
        cluster would have; ``str()`` of it is what was printed.

    Raises:
        InvalidArgument: An argument is one that `launch` would refuse: for instance, the
            objective cannot be pickled, or it does not fit the space.

    Example:
        ::

            found = ab.dry_run(train, {"lr": ab.loguniform(1e-4, 1e-1)}, n=2)
            assert not found.problems
    """
    refuse_inside("dry_run")
    check("dry_run: n", n, whole(1))
    check("dry_run: steps", steps, whole(1))
    check("dry_run: seed", seed, whole(0))
    check("dry_run: quiet", quiet, SWITCH)
    if data is not None:
        check("dry_run: data", data, DATA)
    shape_of(objective)
    checked = as_space(space, [if_hyperopt])
    check_takes(objective, checked, tuple(data or ()))
    sizes = check_travels(objective, dumps), check_space_travels(checked, dumps)
    most = BusOptions().max_data_bytes
    of_weight = tuple(warnings_of_weight(objective, checked, sizes, dumps, most))
    pickled, pickled_space = dumps(objective), dumps(checked)
    client = _Client(checked, n, steps, seed)
    # as in a worker, nothing is shared with what the caller holds
    reader = _Reader(io.BytesIO(pickled))
    copy, space_copy = reader.load(), pickle.loads(pickled_space)
    if data:
        gathered = gather(data, most, dumps)
        copy = functools.partial(copy, **pickle.loads(dumps(gathered)))
    keeper = Keeper(Keeping("", 1, BusOptions().max_artifact_bytes))  # it checks, and keeps nothing
    Runner(cast(Client, client), Interrupter(), copy, space_copy, keeper=keeper).run()
    found = DryRun(
        name_of(objective),
        tuple(client.trials),
        len(pickled),
        len(pickled_space),
        (
            *_of_travel(reader, imported_by(objective)),
            *_of_trials(client.trials),
            *of_weight,
        ),
    )
    if not quiet:
        print_text(f"{found}\n")
    return found


class _Client:
    """Stands for the bus: gives out configurations, and stops each after some reports."""

    def __init__(self, space: Space, trials: int, steps: int, seed: int) -> None:
        self.worker = Worker(run="dry-run", slot="here", host="here", pid=os.getpid(), now=0.0)
        self.outbox = Outbox()
        self.trials: list[Rehearsal] = []
        self._space = space
        self._most_trials, self._most_steps = trials, steps
        self._seed = seed
        self._answered = time.monotonic()
        self._pid = os.getpid()
        self.ask(self.worker.hello())

    def ask(self, request: m.Request) -> m.Reply:
        """Answer ``request``, which is the worker's."""
        asked = time.monotonic()
        reply = self.worker.receive(self._answer(request, asked - self._answered))
        assert reply is not None
        self._answered = time.monotonic()
        return reply

    def send_lines(self) -> None:
        """Send the lines that wait."""
        for log in self.outbox.take():
            self.tell(log)

    def tell(self, message: m.OneWay) -> None:
        """Take what a trial says."""
        if isinstance(message, m.Log):
            self.trials[message.trial].log.append(message.text)

    def check_process(self) -> None:
        """Only the process that began may report."""
        if os.getpid() != self._pid:
            raise InvalidArgument(
                "dry_run: the objective reported from a forked child; report from the process "
                "that runs the objective"
            )

    def _answer(self, request: m.Request, seconds: float) -> m.ToWorker:
        if isinstance(request, m.Hello):
            return m.Welcome(request.seq, 5.0, "min", None, None, 1)
        if isinstance(request, m.Report):
            trial = self.trials[-1]
            trial.steps.append(Step(request.resource, request.metric, request.extras, seconds))
            if len(trial.steps) < self._most_steps:
                return m.Continue(request.seq, _ALWAYS)
            return m.Stop(request.seq, "stopped", None)
        assert isinstance(request, m.Next | m.End)
        if self.trials:
            self.trials[-1].ending_s = seconds
        if isinstance(request, m.End):
            self._end(self.trials[-1], request, seconds)
        assignment = self._assignment()
        if assignment is None:
            return m.Done(request.seq, "rehearsed")
        return m.Assign(request.seq, assignment)

    def _end(self, trial: Rehearsal, end: m.End, seconds: float) -> None:
        trial.outcome, trial.error = end.outcome, end.error
        reported = trial.steps[-1].resource if trial.steps else 0
        if end.metric is not None and end.resource > reported:  # it was returned at the end
            trial.steps.append(Step(end.resource, end.metric, end.extras, seconds))
            trial.ending_s = 0.0

    def _assignment(self) -> m.Assignment | None:
        number = len(self.trials)
        if number == self._most_trials:
            return None
        point = RandomSearch().draw(self._space, number, self._seed)
        self.trials.append(Rehearsal(self._space.resolve(point)))
        return m.Assignment(number, 1, point, number, _ALWAYS)


class _Reader(pickle.Unpickler):
    """Reads a pickle, and notes what it names but does not bring along."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.modules: set[str] = set()
        #: Classes of Spark that live on the driver only.
        self.driver_only: set[str] = set()

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        found = super().find_class(module_name, global_name)
        if global_name == "subimport" and "cloudpickle" in module_name:
            return self._import  # a module as a whole, which is an argument
        self.modules.add(module_name)
        if isinstance(found, type) and is_driver_only(found):
            self.driver_only.add(global_name)
        return found

    def _import(self, name: str) -> Any:
        self.modules.add(name)
        return import_module(name)


def _is_installed(module: str) -> bool:
    """Whether ``module`` is one of Python's own, of a package that pip installed, or ours."""
    path = getattr(sys.modules.get(module), "__file__", None)
    if path is None or module.partition(".")[0] == "asha_bus":
        return True
    places = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    return any(Path(path).resolve().is_relative_to(Path(place).resolve()) for place in places)


def _of_travel(reader: _Reader, imported: set[str]) -> Iterator[str]:
    """What of the objective is not there on an executor."""
    for module in sorted(reader.modules | (imported & set(sys.modules))):
        if not _is_installed(module):
            yield (
                f"the module {module!r} is not sent along, only its name: install it on the "
                f"executors, or send it by "
                f"spark.sparkContext.addPyFile({sys.modules[module].__file__!r})"
            )
    for name in sorted(reader.driver_only):
        yield (
            f"the objective uses {name}, which lives on the driver only: it fails on an executor. "
            f"Read the data before the launch and give it by data=, or read it with another library"
        )


def _of_trials(trials: list[Rehearsal]) -> Iterator[str]:
    failed = [trial for trial in trials if trial.outcome == "failed"]
    if failed:
        yield f"{len(failed)} of {len(trials)} trials failed"
    unusable = [trial for trial in trials if any(not isfinite(s.metric) for s in trial.steps)]
    if unusable:
        yield (
            f"{len(unusable)} of {len(trials)} trials reported NaN or an infinity, which ranks "
            f"worst and is never the best"
        )


def _shown(extras: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={shortened(value)}" for name, value in extras.items())
