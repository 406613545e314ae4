"""Spark ML: trials that run Spark jobs in the session of your program."""

from __future__ import annotations

import secrets
import select
import socket
import tempfile
import threading
import traceback
from collections.abc import Callable
from inspect import signature
from socketserver import BaseRequestHandler, ThreadingMixIn, UnixStreamServer
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
        self._objective, self._context = objective, session.sparkContext

    def __enter__(self) -> Callable[..., Any]:
        self._folder = tempfile.TemporaryDirectory(prefix="asha-bus-")  # of this user alone
        path = f"{self._folder.name}/trials"
        self._server = _Server(path, self._objective, self._context)
        threading.Thread(target=self._server.serve_forever, args=(_LOOK_S,), daemon=True).start()
        return _AtDriver(self._objective, path)

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._folder.cleanup()


class _Server(ThreadingMixIn, UnixStreamServer):
    """Runs the trials that workers ask for, each in a thread with its own group of jobs."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, objective: Callable[..., Any], context: Any) -> None:
        super().__init__(path, BaseRequestHandler)
        self._objective, self._context = objective, context

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Run one trial, and cancel its jobs once its worker no longer waits for it."""
        args, params = _receive(request)
        group, answers = f"asha-bus-{secrets.token_hex(8)}", list[Any]()
        trial = InheritableThread(target=self._run, args=(group, args, params, answers))
        trial.daemon = True
        trial.start()
        while trial.is_alive():
            trial.join(_LOOK_S)
            if select.select([request], [], [], 0)[0]:  # it sends nothing more: it is gone
                self._context.cancelJobGroup(group)
        request.sendall(msgpack.packb(answers))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: a worker was ended while it waited for its trial."""

    def _run(self, group: str, args: Any, params: Any, answers: list[Any]) -> None:
        self._context.setJobGroup(group, name_of(self._objective), interruptOnCancel=True)
        try:
            answers += to_metric_and_extras(self._objective(*args, **params))
        except BaseException:
            answers.append(traceback.format_exc())


class _AtDriver:
    """The objective in a worker: it has the trial run in the process of `InDriver`."""

    def __init__(self, objective: Callable[..., Any], path: str) -> None:
        self.__qualname__ = name_of(objective)
        self.__signature__ = signature(objective)
        self._path = path

    def __call__(self, *args: Any, **params: Any) -> Any:
        try:
            request = msgpack.packb((args, params))
        except (TypeError, ValueError, OverflowError) as error:
            raise ObjectiveError(
                f"a parameter cannot be sent to the driver: {error}; let the space have names or "
                f"numbers, and look up other objects in the objective"
            ) from None
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(self._path)
            except OSError as error:
                raise ObjectiveError(
                    f"the driver's process cannot be reached: {error}; call "
                    f"launch(engine='local') within the block of InDriver"
                ) from None
            connection.sendall(request)
            answer = _receive(connection)
        if len(answer) == 1:
            raise ObjectiveError(f"in the driver's process:\n{answer[0]}")
        return tuple(answer)


def _receive(connection: socket.socket) -> Any:
    """The next message, which the other side sends whole."""
    with connection.makefile("rb", 0) as file:
        return next(msgpack.Unpacker(file, strict_map_key=False))
