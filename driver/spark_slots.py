"""How many tasks Spark runs at a time: now, and at most."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from asha_bus.core.errors import InvalidArgument, WorkerError

#: How often the slots are counted.
POLL_S = 0.5
#: With dynamic allocation that has no limit of its own, a run has at most this many workers, unless
#: ``workers=`` says how many.
MOST_ON_DEMAND = 32

#: What ``spark.dynamicAllocation.maxExecutors`` is where nobody set it.
_NO_LIMIT = (1 << 31) - 1


class Supply(NamedTuple):
    """The slots that a configuration of Spark promises."""

    #: The most there will be; None: it does not say.
    promised: int | None
    #: What says so.
    by: str = ""
    #: Whether it is impossible that there will be more.
    is_limit: bool = True
    #: Whether Spark starts executors when tasks wait for slots.
    on_demand: bool = False

    def first(self, wanted: int | None, slots: int) -> int:
        """How many workers a run begins with that has ``slots`` slots now.

        ``wanted``: the user's number; None: as many as fit. Raises `InvalidArgument` if it is more
        than there will ever be.
        """
        most = max(self.promised or 0, slots)
        if wanted is not None and self.promised is not None and self.is_limit and wanted > most:
            raise InvalidArgument(
                f"workers={wanted} is more than the {most} task slots that Spark has by {self.by}; "
                f"the others would wait forever. Lower workers, or give Spark more cores"
            )
        if self.on_demand:  # executors are started for tasks that wait
            return wanted or max(slots, self.promised or MOST_ON_DEMAND)
        return slots if wanted is None else min(wanted, slots)

    def expected(self, wanted: int | None, workers: int) -> int:
        """How many workers a run will have that has started ``workers``."""
        return max(workers, wanted if wanted is not None else self.promised or 0)

    def more(self, wanted: int | None, workers: int, slots: int) -> int:
        """How many workers a run is to start besides its ``workers``, now with ``slots`` slots."""
        most = slots if wanted is None else min(wanted, slots)
        if wanted is None and self.on_demand and self.promised is None:
            most = min(most, MOST_ON_DEMAND)
        return max(most - workers, 0)


def supply(master: str, conf: Mapping[str, str]) -> Supply:
    """What ``conf`` promises on ``master``, a cluster; see `fixed_supply` for this machine."""
    cpus = _whole(conf, "spark.task.cpus") or 1
    if any(key.startswith("spark.task.resource.") for key in conf):
        return Supply(None, on_demand=_is_dynamic(conf))  # GPUs may limit it, and not the cores
    cores = _whole(conf, "spark.executor.cores")
    is_standalone = master.startswith("spark://")
    if cores is None and not is_standalone:
        cores = 1  # the default of YARN and of Kubernetes
    if master.startswith("local-cluster["):
        executors, cores_each = (int(part) for part in master[14:-1].split(",")[:2])
        slots = executors * (cores_each // cpus)
        if (total := _whole(conf, "spark.cores.max")) is not None and total // cpus < slots:
            return Supply(total // cpus, f"spark.cores.max={total}")
        return Supply(slots, master)
    if _is_dynamic(conf):
        key = "spark.dynamicAllocation.maxExecutors"
        most = _whole(conf, key)
        if most is None or most >= _NO_LIMIT or cores is None:
            return Supply(None, on_demand=True)
        return Supply(most * (cores // cpus), f"{key}={most}", on_demand=True)
    found = []
    if is_standalone and (total := _whole(conf, "spark.cores.max")) is not None:
        each = total if cores is None else cores
        slots = (total // each) * (each // cpus) if each else 0
        found.append(Supply(slots, f"spark.cores.max={total}"))
    if (number := _whole(conf, "spark.executor.instances")) is not None and cores is not None:
        by = f"spark.executor.instances={number}"
        # a standalone master may start more
        found.append(Supply(number * (cores // cpus), by, is_limit=not is_standalone))
    return min(found, key=lambda each: each.promised or 0, default=Supply(None))


class SparkSlots:
    """The task slots of a context."""

    def __init__(self, context: Any) -> None:
        self._context = context
        master = context.master or ""
        conf = dict(context.getConf().getAll())
        #: Whether the number of slots cannot change.
        self.is_fixed = master.startswith("local") and not master.startswith("local-cluster")
        self.supply = Supply(self.now(), master) if self.is_fixed else supply(master, conf)

    def now(self) -> int:
        """How many there are."""
        scala = self._context._jsc.sc()
        profile = scala.resourceProfileManager().defaultResourceProfile()
        return int(scala.maxNumConcurrentTasks(profile))

    def first(self, wanted: int | None, timeout_s: float) -> int:
        """How many workers to begin with, once there is a slot and the number does not grow.

        Raises `WorkerError` if there is no slot after ``timeout_s`` seconds, and `InvalidArgument`
        if there will never be enough for ``wanted``.
        """
        if self.supply.on_demand or self.is_fixed:
            return self.supply.first(wanted, self.now())
        self.supply.first(wanted, 0)  # refuse at once what is impossible
        deadline = time.monotonic() + timeout_s
        slots = self.now()
        enough = wanted or self.supply.promised
        while time.monotonic() < deadline and (enough is None or slots < enough):
            time.sleep(POLL_S)
            before, slots = slots, self.now()
            if slots == before > 0:
                break
        if slots == 0:
            raise WorkerError(
                f"Spark has no task slots after {timeout_s:g} s; check that executors are "
                f"running and have at least spark.task.cpus cores each, or wait longer: "
                f"BusOptions(slots_timeout_s=...)"
            )
        return self.supply.first(wanted, slots)

    def most(self) -> int | None:
        """The most that there will ever be; None: it is not known, or may change."""
        return self.supply.promised if self.supply.is_limit and not self.supply.on_demand else None

    def jobs(self) -> int:
        """How many jobs run or wait in this context."""
        return len(self._context.statusTracker().getActiveJobsIds())

    def waiting_jobs(self) -> set[str]:
        """The tags of the jobs of this context of which no task runs; none while that is unknown.

        What Spark tells of jobs may be seconds old. Its scheduler knows how many tasks run at this
        moment, though not of which jobs: where the two differ, a task may have just started.
        """
        scala = self._context._jsc.sc()
        jobs = scala.statusStore().jobsList(None).iterator()
        tags: set[str] = set()
        active = 0
        while jobs.hasNext():
            job = jobs.next()
            active += job.numActiveTasks()
            if job.status().name() == "RUNNING" and job.numActiveTasks() == 0:
                found = job.jobTags().iterator()
                while found.hasNext():
                    tags.add(found.next())
        return tags if active == _running_tasks(scala) else set()


def _running_tasks(scala: Any) -> int:
    """How many tasks run now, as the scheduler itself counts them."""
    counts = scala.taskScheduler().runningTasksByExecutors().values().iterator()
    running = 0
    while counts.hasNext():
        running += counts.next()
    return running


def _is_dynamic(conf: Mapping[str, str]) -> bool:
    return conf.get("spark.dynamicAllocation.enabled", "").lower() == "true"


def _whole(conf: Mapping[str, str], key: str) -> int | None:
    """The whole number at ``key``; None where there is none, and Spark's own check has spoken."""
    text = conf.get(key, "").strip()
    return int(text) if text.isdigit() else None
