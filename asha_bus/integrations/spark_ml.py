"""Spark ML: trials that run Spark jobs in the session of your program."""

from __future__ import annotations

import secrets
import tempfile
import threading
import traceback
from collections.abc import Callable
from inspect import Parameter, signature
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection, Listener
from typing import Any

import msgpack

from asha_bus.core.checks import name_of
from asha_bus.core.errors import InvalidArgument, ObjectiveError
from asha_bus.integrations.reporting import missing
from asha_bus.objective.behind import Shape
from asha_bus.objective.kinds import shape_of
from asha_bus.objective.values import to_metric_and_extras

try:
    from pyspark import InheritableThread
    from pyspark.sql import SparkSession
except ImportError as error:
    raise missing("PySpark", "spark_ml", "spark") from error

#: Seconds between two looks at whether the worker of a trial still waits for it.
_LOOK_S = 0.1
#: Seconds that trials which nobody waits for have to end.
_END_S = 5.0


class InDriver:
    """Runs an objective in threads of this process, since executors cannot start Spark jobs.

    Within ``with`` it gives the objective for ``launch(engine="local")``. Its ``workers`` are
    light processes; each has one trial at a time run here, in a thread of its own, with the
    session and the DataFrames of your program. ``workers=1`` gives each trial the whole cluster;
    more trials side by side share it. The jobs of a trial that is interrupted, as by
    ``trial_timeout`` or ``max_time``, are cancelled.

    Args:
        objective: A function that returns a metric, or a metric and a dict of extras. It gets
            parameters that are None, booleans, numbers, texts, lists or dicts; a tuple
            arrives as a list. It is not pickled.
        spark: The session. Default None: the active one, or a new one.

    Raises:
        InvalidArgument: ``objective`` yields or takes a trial, or the session is one of Spark
            Connect.

    Example:
        ::

            def train(strength):
                model = LogisticRegression(regParam=strength).fit(fit)  # a DataFrame, cached
                return BinaryClassificationEvaluator().evaluate(model.transform(held_out))

            with InDriver(train) as objective:
                result = ab.launch(objective, space, mode="max", max_trials=20,
                                   engine="local", workers=2)
    """

    def __init__(self, objective: Callable[..., Any], spark: Any = None) -> None:
        if shape_of(objective) is not Shape.FUNCTION:
            raise InvalidArgument(
                f"InDriver: objective {name_of(objective)} yields or takes trial; pass a function "
                f"that returns the metric"
            )
        session = spark or SparkSession.builder.getOrCreate()
        if not isinstance(session, SparkSession):
            raise InvalidArgument(
                f"InDriver: spark is {type(session).__name__}, such as a session of Spark Connect; "
                f"pass a classic session"
            )
        self._context = session.sparkContext
        self._objective = objective
        self._is_closing = False
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Callable[..., Any]:
        self._folder = tempfile.TemporaryDirectory(prefix="asha-bus-")
        key = secrets.token_bytes(32)
        self._listener = Listener(f"{self._folder.name}/bus", "AF_UNIX", 64, key)
        self._key = key
        self._serve_in(self._accept)
        return _AtDriver(self._objective, str(self._listener.address), key)

    def __exit__(self, *exception: object) -> None:
        self._is_closing = True
        Client(str(self._listener.address), authkey=self._key).close()  # wakes `_accept`
        for thread in self._threads:
            thread.join(_END_S)
        self._listener.close()
        self._folder.cleanup()

    def _serve_in(self, function: Callable[..., None], *args: Any) -> None:
        thread = InheritableThread(target=function, args=args, daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        while not self._is_closing:
            try:
                connection = self._listener.accept()
                self._serve_in(self._serve, connection)
            except (OSError, EOFError, AuthenticationError):  # a worker that was killed meanwhile
                continue

    def _serve(self, connection: Connection) -> None:
        """Run one trial, and cancel its jobs when its worker no longer waits for it."""
        with connection:
            try:
                args, params = msgpack.unpackb(connection.recv_bytes(), strict_map_key=False)
            except (OSError, EOFError):
                return
            group, answers = f"asha-bus-{secrets.token_hex(8)}", list[bytes]()
            trial = InheritableThread(target=self._run, args=(group, args, params, answers))
            trial.daemon = True
            trial.start()
            while trial.is_alive():
                trial.join(_LOOK_S)
                if connection.poll():  # it sends nothing more, so it is gone
                    self._context.cancelJobGroup(group)
            if answers and not connection.poll():
                connection.send_bytes(answers[0])

    def _run(self, group: str, args: Any, params: Any, answers: list[bytes]) -> None:
        self._context.setJobGroup(group, name_of(self._objective), interruptOnCancel=True)
        try:
            metric, extras = to_metric_and_extras(self._objective(*args, **params))
            answers.append(msgpack.packb((metric, extras)))
        except BaseException:
            answers.append(msgpack.packb(traceback.format_exc()))


class _AtDriver:
    """The objective in a worker: it has the trial run in the process of `InDriver`."""

    def __init__(self, objective: Callable[..., Any], address: str, key: bytes) -> None:
        self.__qualname__ = name_of(objective)
        found = signature(objective)
        self.__signature__ = found.replace(
            parameters=[_bare(each) for each in found.parameters.values()],
            return_annotation=found.empty,
        )
        self._address, self._key = address, key

    def __call__(self, *args: Any, **params: Any) -> Any:
        try:
            request = msgpack.packb((args, params))
        except (TypeError, ValueError, OverflowError) as error:
            raise ObjectiveError(
                f"a parameter cannot be sent to the driver: {error}; let the space have names or "
                f"numbers, and look up other objects in the objective"
            ) from None
        try:
            connection = Client(self._address, authkey=self._key)
        except OSError as error:
            raise ObjectiveError(
                f"the driver's process cannot be reached: {error}; call launch(engine='local') "
                f"within the block of InDriver"
            ) from None
        with connection:
            connection.send_bytes(request)
            answer = msgpack.unpackb(connection.recv_bytes())
        if isinstance(answer, str):
            raise ObjectiveError(f"in the driver's process:\n{answer}")
        return tuple(answer)


def _bare(parameter: Parameter) -> Parameter:
    """``parameter`` without objects of the program, which need not be sent."""
    default = parameter.empty if parameter.default is parameter.empty else None
    return parameter.replace(default=default, annotation=parameter.empty)
