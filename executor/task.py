"""The life of one worker: join the bus, run trials, leave."""

from __future__ import annotations

import faulthandler
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from asha_bus.core.worker import Worker
from asha_bus.executor.client import Client, Heartbeat
from asha_bus.executor.group import OwnGroup
from asha_bus.executor.interrupt import Interrupter
from asha_bus.executor.keeping import Keeper
from asha_bus.executor.output import Recorder
from asha_bus.executor.pausing import PausingRunner
from asha_bus.executor.runner import Runner
from asha_bus.executor.states import States
from asha_bus.launching.job import CannotLoad, Job
from asha_bus.objective.kept import place_of

_STDERR_FD = 2


def with_data(job: Job) -> Job | CannotLoad:
    """``job`` with its data loaded and bound to the objective, or why that is impossible."""
    if job.keeping is not None:
        try:
            Keeper(job.keeping)  # at an address, it imports what that needs
        except Exception as error:
            place = place_of(job.keeping.folder)
            return CannotLoad.from_error(error, f"what artifacts={place!r} needs")
    loaded = {}
    for name, shared in job.data.items():
        try:
            loaded[name] = shared.value
        # unpickling runs user code, which may raise anything; a module may exit at its import
        except (Exception, SystemExit) as error:
            return CannotLoad.from_error(error, f"data[{name!r}]")
    return replace(job, objective=partial(job.objective, **loaded), data={}) if loaded else job


def work(job: Job, *, slot: str, name: str, is_orphan: Callable[[], bool]) -> str:
    """Run a worker at ``slot`` under the unique ``name`` until the run is done.

    Returns the reason of the end. Raises `BusError` if the bus cannot be reached.
    """
    if not faulthandler.is_enabled():
        faulthandler.enable(_STDERR_FD)  # a crash in native code says where it was
    objective = job.objective
    host = socket.gethostname()
    worker = Worker(
        run=job.address.run, slot=slot, host=host, pid=os.getpid(), now=time.monotonic()
    )
    with OwnGroup(), Interrupter() as interrupter:
        client = Client(job.address, worker, name)
        try:
            heartbeat = Heartbeat(job.address, client, interrupter, name, is_orphan)
            heartbeat.start()
            try:
                client.join()
                runner: Callable[..., Runner] = Runner
                if job.pauses:
                    runner = partial(PausingRunner, states=States(job.saves) if job.saves else None)
                keeper = None if job.keeping is None else Keeper(job.keeping)
                with Recorder(client.outbox if job.capture_output else None) as recorder:
                    about = (client, interrupter, objective, job.space)
                    return runner(*about, recorder, keeper).run()
            finally:
                heartbeat.stop()
        finally:
            client.close()


def load_once(job: Job, data: Mapping[str, Any]) -> Iterator[CannotLoad]:
    """Load the data of ``job`` as a worker would; nothing if that works."""
    loaded = with_data(replace(job, data=data))
    if isinstance(loaded, CannotLoad):
        yield loaded


def spark_task(job: Job, slot: str, data: Mapping[str, Any]) -> Iterator[str | CannotLoad]:
    """Run `work` inside a Spark task, under a name made from the task's unique ids.

    ``data``: the data of the job, which Spark itself must serialize.
    """
    from pyspark import TaskContext

    context = TaskContext.get()
    assert context is not None, "spark_task() runs inside a Spark task only"
    partition = context.partitionId()
    name = f"spark-{context.stageId()}.{partition}.{context.taskAttemptId()}"
    slot = f"{slot}.{partition}"
    loaded = with_data(replace(job, data=data))
    if isinstance(loaded, CannotLoad):
        yield loaded
        return
    # in a group of its own, it does not hear that Spark's daemon, its parent, ends
    daemon = os.getppid()
    yield work(loaded, slot=slot, name=name, is_orphan=lambda: os.getppid() != daemon)
