"""The one door: `launch` joins the driver's side, the executors' side and the user."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import asha_bus
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.events import Resumed
from asha_bus.core.schedulers import Scheduler
from asha_bus.core.searchers import RandomSearch
from asha_bus.core.space import Space
from asha_bus.driver.engine import Engine, Hooks
from asha_bus.driver.journal import OpenJournal, open_journal
from asha_bus.driver.searcher_client import make_suggester
from asha_bus.driver.supervisor import Supervisor
from asha_bus.executor.client import ping
from asha_bus.executor.task import spark_task
from asha_bus.launching.follower import Follower
from asha_bus.launching.job import BusAddress, Job
from asha_bus.launching.options import EVERY_ADDRESS, BusOptions
from asha_bus.launching.plan import Plan, make_plan
from asha_bus.launching.run import Run, wait_for
from asha_bus.monitors.choice import MonitorChoice, open_monitors
from asha_bus.objective.closure import check_space_travels, check_travels
from asha_bus.objective.data import gather
from asha_bus.objective.kinds import INSIDE, name_of
from asha_bus.results.result import Result

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from asha_bus.driver.exporter import Exporter
    from asha_bus.monitors.page import Page
    from asha_bus.searchers import Searcher


@overload
def launch(
    objective: Callable[..., Any],
    space: Space | Mapping[str, Any],
    *,
    mode: str = ...,
    scheduler: Scheduler | None = ...,
    searcher: RandomSearch | Searcher | Any = ...,
    max_trials: int | None = ...,
    max_time: float | None = ...,
    stop_at: float | None = ...,
    spark: SparkSession | None = ...,
    engine: str = ...,
    workers: int | None = ...,
    seed: int | None = ...,
    name: str | None = ...,
    monitor: MonitorChoice = ...,
    bus: BusOptions | None = ...,
    journal: str | os.PathLike[str] | None = ...,
    resume: bool = ...,
    retry_failed: bool = ...,
    trial_timeout: float | None = ...,
    max_failures: int | None = ...,
    fail_fast: bool = ...,
    capture_output: bool = ...,
    data: Mapping[str, Any] | None = ...,
    history: Any = ...,
    initial: Sequence[Mapping[str, Any]] | None = ...,
    unique: bool = ...,
    repeats: int = ...,
    retries: int = ...,
    metrics_port: int | None = ...,
    page: bool | int = ...,
    block: Literal[True] = ...,
) -> Result: ...


@overload
def launch(
    objective: Callable[..., Any],
    space: Space | Mapping[str, Any],
    *,
    mode: str = ...,
    scheduler: Scheduler | None = ...,
    searcher: RandomSearch | Searcher | Any = ...,
    max_trials: int | None = ...,
    max_time: float | None = ...,
    stop_at: float | None = ...,
    spark: SparkSession | None = ...,
    engine: str = ...,
    workers: int | None = ...,
    seed: int | None = ...,
    name: str | None = ...,
    monitor: MonitorChoice = ...,
    bus: BusOptions | None = ...,
    journal: str | os.PathLike[str] | None = ...,
    resume: bool = ...,
    retry_failed: bool = ...,
    trial_timeout: float | None = ...,
    max_failures: int | None = ...,
    fail_fast: bool = ...,
    capture_output: bool = ...,
    data: Mapping[str, Any] | None = ...,
    history: Any = ...,
    initial: Sequence[Mapping[str, Any]] | None = ...,
    unique: bool = ...,
    repeats: int = ...,
    retries: int = ...,
    metrics_port: int | None = ...,
    page: bool | int = ...,
    block: Literal[False],
) -> Run: ...


def launch(
    objective: Callable[..., Any],
    space: Space | Mapping[str, Any],
    *,
    mode: str = "min",
    scheduler: Scheduler | None = None,
    searcher: RandomSearch | Searcher | Any = None,
    max_trials: int | None = None,
    max_time: float | None = None,
    stop_at: float | None = None,
    spark: SparkSession | None = None,
    engine: str = "spark",
    workers: int | None = None,
    seed: int | None = None,
    name: str | None = None,
    monitor: MonitorChoice = "progress",
    bus: BusOptions | None = None,
    journal: str | os.PathLike[str] | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    trial_timeout: float | None = None,
    max_failures: int | None = None,
    fail_fast: bool = False,
    capture_output: bool = False,
    data: Mapping[str, Any] | None = None,
    history: Any = None,
    initial: Sequence[Mapping[str, Any]] | None = None,
    unique: bool = False,
    repeats: int = 1,
    retries: int = 0,
    metrics_port: int | None = None,
    page: bool | int = False,
    block: bool = True,
) -> Result | Run:
    """Tune ``objective`` over ``space`` and return a `Result`.

    ``objective``: a function of the space's parameters that returns a number; or a
    generator of them that yields one per unit of resource, and is closed when the
    trial is stopped; or a function whose first parameter is named ``trial``, a
    `Trial`, that reports by hand.
    ``space``: a `Space`, a dict of parameters, or a space of hyperopt.
    ``mode``: ``min`` (default) or ``max``: what is a better metric.
    ``scheduler``: such as `ASHA`; None lets every trial run to its end.
    ``searcher``: `RandomSearch` (default), a `Searcher`, or any object with its methods.
    One that learns runs in a process of its own.
    ``max_trials``, ``max_time`` (seconds): the run ends then; one is needed unless the
    space is finite. At the end of max_time no trial begins; those that run are told
    to stop at their next report, interrupted after 2 s, and killed after 5 s.
    ``stop_at``: the run ends when a trial's last metric is as good as this, be it one of
    several repeats.
    ``spark``: the session to use; None takes the active one or starts one.
    ``engine``: ``spark`` (default), or ``local`` for processes of this machine.
    ``workers``: how many trials run at a time; None takes all free slots or cores.
    ``seed``: a whole number; the same seed tries the same configurations. None
    draws one, which ``Result.seed`` tells.
    ``name``: shown in Spark's UI and used for logging as ``asha_bus.<name>``.
    ``monitor``: what is shown meanwhile: ``progress`` (default) for one line, ``text`` for
    a table, ``rungs`` or ``curves`` for a chart in a notebook, a `Monitor`, a list of
    these, or None for silence.
    ``bus``: `BusOptions`; None takes Spark's configuration ``spark.ashaBus.<option>``.
    ``journal``: a file that keeps the run, so that it can be resumed; None (default)
    keeps it in a temporary place as long as the run lasts.
    ``resume``: go on with the run in ``journal``: trials that ended and all rungs
    stand, what was running or cancelled is run again. Space, scheduler, mode and
    objective must be the same, and the seed, where one is given; ``max_trials`` is
    the total, and time between two launches does not count in ``max_time``. Where
    there is no such file yet, the run begins.
    ``retry_failed``: of a resumed run, run failed and lost trials again, too.
    ``trial_timeout`` (seconds): a trial that runs longer in one attempt, clean-up
    included, is interrupted and fails; 5 s later its worker's process is replaced. None
    (default): a trial may take any time.
    ``max_failures``: the run ends with reason ``failed`` when more trials than this
    failed or were lost; None (default): only where the first five trials all failed.
    ``fail_fast``: True ends the run at the first such trial.
    ``capture_output``: True keeps what the objective writes to sys.stdout and sys.stderr
    in its trial's ``log``, beside what it logs; it is written as ever, too. What native
    code and child processes write is not captured.
    ``data``: objects that the objective gets besides, each under its name: arrays,
    tables, anything that can be pickled. Each executor gets them once, each task loads
    them once. A DataFrame of Spark is gathered and comes as an Arrow table; its size is
    printed. ``BusOptions.max_data_bytes`` is the limit of each.
    ``history``: a `Result`, or a table like that of `Result.to_pandas`: what a searcher
    that learns begins with, as far as it fits into the space.
    ``initial``: configurations to try first, each a dict as the objective gets it.
    ``unique``: True never runs a configuration twice, whatever the searcher says, and
    ends with reason ``exhausted`` when there is none left.
    ``repeats``: each configuration is tried by so many trials in a row, with seeds of their
    own, which `Trial.repeat` numbers from 0. A rung is decided on the mean of those that
    reached it, and the best configuration is that with the best mean. Default 1. They count
    in ``max_trials`` one by one.
    ``retries``: a trial whose attempt raised, or ran longer than ``trial_timeout``, is begun
    again up to so many times before it has failed. Default 0. What the attempt raised is
    kept in its ``log``.
    ``metrics_port``: serve the run's metrics to Prometheus at this port, until 15 s after
    the result was returned, at ``BusOptions.metrics_host``; 0 takes a free one and
    prints it. Runs of one process may share a port. None (default): nowhere.
    ``page``: True serves a live page of the run at a free port of this machine, and
    prints its address; a number is the port. It stays open after the end of the run,
    until another run with a page ends. Needs ``pip install 'asha-bus[page]'``.
    ``block``: False returns a `Run` at once.

    Ctrl-C ends the workers and returns what there is; a second one kills them.

    Raises `InvalidArgument` before anything starts, naming the argument;
    `AllTrialsFailed` with the first traceback if no trial succeeded; `BusError` or
    `WorkerError` if the bus or the workers could not be started or kept.
    """
    if INSIDE.is_set():
        raise InvalidArgument(
            "launch() was called inside a running objective; tune one level at a time: "
            "launch from the driver, and call plain functions in the objective"
        )
    plan = make_plan(
        objective,
        space,
        mode=mode,
        scheduler=scheduler,
        searcher=searcher,
        max_trials=max_trials,
        max_time=max_time,
        stop_at=stop_at,
        engine=engine,
        workers=workers,
        seed=seed,
        name=name,
        monitor=monitor,
        bus=bus,
        journal=journal,
        resume=resume,
        retry_failed=retry_failed,
        trial_timeout=trial_timeout,
        max_failures=max_failures,
        fail_fast=fail_fast,
        capture_output=capture_output,
        data=data,
        history=history,
        initial=initial,
        unique=unique,
        repeats=repeats,
        retries=retries,
        metrics_port=metrics_port,
        page=page,
    )
    run = _begin(plan, _make_engine(plan, spark))
    return wait_for(run) if block else run


def _make_engine(plan: Plan, spark: SparkSession | None) -> Engine:
    if plan.engine == "local":
        from asha_bus.driver.local import LocalEngine

        if spark is not None:
            raise InvalidArgument("spark was given together with engine='local'; leave one out")
        return LocalEngine()
    from asha_bus.driver.spark import SparkEngine

    return SparkEngine(spark, name=plan.name, task=spark_task, ping=ping)


def _begin(plan: Plan, engine: Engine) -> Run:
    check_travels(plan.objective, engine.dumps)
    check_space_travels(plan.space, engine.dumps)
    workers = engine.worker_count(plan.workers)
    options = plan.options or BusOptions.from_conf(engine.conf)
    plan = plan.with_options(options)
    data = gather(plan.data, options.max_data_bytes)
    journal = _open(plan)
    if journal.is_resumed:
        plan = plan.resumed(journal.header)
    try:
        # of the seed that the run has, which a resumed one brings along
        suggester = make_suggester(plan.search, engine.dumps)
        with ExitStack() as opened:
            exporter = _open_endpoint(plan, options, engine)
            if exporter is not None:
                opened.callback(exporter.close, at_once=True)
            page = _open_page(plan)
            if page is not None:
                opened.callback(page.close)
            views = opened.pop_all()
    except BaseException:
        os.close(journal.fd)
        raise
    supervisor = Supervisor(suggester)
    resumed = Resumed(plan.settings, plan.retry_failed) if journal.is_resumed else None
    try:
        port = supervisor.start(
            journal,
            resumed,
            sync=options.sync,
            host=options.host or engine.host,
            port=options.port,
            timeout_s=options.start_timeout_s,
        )
        host = engine.host if options.host in (None, EVERY_ADDRESS) else options.host
        address = BusAddress(
            run=plan.settings.run,
            endpoint=f"tcp://{host}:{port}",
            server_key=supervisor.keys.server_public,
            client_key=supervisor.keys.client_public,
            client_secret=supervisor.keys.client_secret,
            bus_timeout_s=options.bus_timeout_s,
        )
        engine.preflight(address)
        monitors = open_monitors(plan.monitors, plan.info) + ([] if page is None else [page])
        follower = Follower(plan, supervisor, engine, monitors, exporter)
        hooks = Hooks(follower.on_worker_exited, follower.on_engine_failure, follower.on_output)
        shared = engine.share(data)
        job = Job(address, plan.objective, plan.space, plan.capture_output, shared)
        engine.start(job, workers, hooks)
    except BaseException:  # an interrupt, too, must not leave a bus behind
        supervisor.close()
        views.close()
        engine.close(0.0)
        raise
    follower.start()
    return Run(
        follower,
        address.endpoint,
        metrics_url=None if exporter is None else exporter.url,
        page_url=None if page is None else page.url,
    )


def _open_endpoint(plan: Plan, options: BusOptions, engine: Engine) -> Exporter | None:
    """Where the run's metrics are served, if anywhere."""
    if plan.metrics_port is None:
        return None
    from asha_bus.driver.exporter import Exporter
    from asha_bus.driver.readings import Facts

    settings = plan.settings
    host = options.metrics_host
    exporter = Exporter(
        plan.name,
        Facts(
            mode=settings.mode,
            scheduler=repr(settings.scheduler),
            objective=name_of(plan.objective),
            engine=plan.engine,
            version=asha_bus.__version__,
            max_trials=settings.max_trials,
            start_time=time.time(),
        ),
        host=host,
        port=plan.metrics_port,
        public_host=engine.host if host == EVERY_ADDRESS else host,
        sd_file=options.sd_file,
    )
    if plan.metrics_port == 0:
        print(f"metrics of {plan.name}: {exporter.url}", flush=True)
    return exporter


def _open_page(plan: Plan) -> Page | None:
    """The live page of the run, if there is to be one."""
    if plan.page is None:
        return None
    from asha_bus.monitors.page import Page

    page = Page(plan.name, plan.page)
    print(f"page of {plan.name}: {page.url}", flush=True)
    return page


def _open(plan: Plan) -> OpenJournal:
    """The journal of the run; a temporary one has no name, and is gone with its last user."""
    if plan.journal is not None:
        return open_journal(
            plan.journal, plan.header, resume=plan.resume, seed_given=plan.seed_given
        )
    with tempfile.TemporaryDirectory(prefix="asha-bus-") as folder:
        journal = open_journal(
            Path(folder) / "journal", plan.header, resume=False, seed_given=plan.seed_given
        )
    return journal._replace(is_temporary=True)
