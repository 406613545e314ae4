"""The front door: `launch` and `start` join the driver's side, the executors' and the user."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asha_bus._version import __version__
from asha_bus.core.checks import name_of, shortened
from asha_bus.core.errors import WorkerError
from asha_bus.core.events import Resumed
from asha_bus.driver.descriptors import open_standard
from asha_bus.driver.engine import Engine, Hooks
from asha_bus.driver.gate import Gate
from asha_bus.driver.hook_client import make_hooks
from asha_bus.driver.journal import OpenJournal, emptied_if_it_fails, open_journal
from asha_bus.driver.listener import tcp
from asha_bus.driver.scheduler_class import named
from asha_bus.driver.searcher_client import Suggester, make_suggester
from asha_bus.driver.supervisor import Supervisor
from asha_bus.executor.client import ping
from asha_bus.executor.task import load_once, spark_task
from asha_bus.formats.pipe import SchedulerClass
from asha_bus.launching.arguments import LaunchArguments, takes_arguments
from asha_bus.launching.artifacts import is_folder_given
from asha_bus.launching.cohorts import warn_of_residents
from asha_bus.launching.follower import Follower
from asha_bus.launching.job import Job, Keeping
from asha_bus.launching.options import EVERY_ADDRESS, BusOptions
from asha_bus.launching.plan import Plan, make_plan
from asha_bus.launching.run import Run, wait_for
from asha_bus.monitors.choice import open_monitors
from asha_bus.monitors.line import first_line
from asha_bus.monitors.screen import print_text
from asha_bus.objective.closure import check_space_travels, check_travels
from asha_bus.objective.data import gather
from asha_bus.objective.kinds import refuse_inside
from asha_bus.objective.weight import warnings_of_weight
from asha_bus.results.records import TrialRecord
from asha_bus.results.result import Result

if TYPE_CHECKING:
    from asha_bus.driver.exporter import Exporter
    from asha_bus.monitors.page import Page

logger = logging.getLogger("asha_bus")


@takes_arguments
def launch(arguments: LaunchArguments) -> Result:
    """Tune an objective over a space, wait for the end and return the result.

    Ctrl-C ends the run and returns what there is; a second one kills the workers.

    Args:
        See `LaunchArguments`, which describes each.

    Returns:
        The `Result`, with the best configuration and every trial.

    Raises:
        InvalidArgument: An argument is wrong; the message names it. Nothing was started.
        AllTrialsFailed: No trial succeeded; it holds the first traceback and the result.
        BusError: The bus could not be started or kept.
        WorkerError: The workers could not be started or kept.

    Example:
        ::

            def train(lr, units):
                model = build(lr, units)
                for epoch in range(100):
                    yield model.fit_one_epoch()  # the validation loss

            space = {"lr": ab.loguniform(1e-4, 1e-1), "units": ab.randint(8, 32)}
            result = ab.launch(train, space, scheduler=ab.ASHA(81), max_trials=200)
            print(result.best.params)
    """
    return wait_for(start_gated(arguments, None, "launch"))


@takes_arguments
def start(arguments: LaunchArguments) -> Run:
    """Start to tune an objective over a space, and return at once.

    Args:
        See `LaunchArguments`, which describes each.

    Returns:
        The `Run`: ask it for ``status()``, ``stop()`` it, and wait for its ``result()``.

    Raises:
        InvalidArgument: An argument is wrong; the message names it. Nothing was started.
        BusError: The bus could not be started.
        WorkerError: The workers could not be started.

    Example:
        ::

            run = ab.start(train, space, max_time=3600)
            print(run.status())
            result = run.result()
    """
    return start_gated(arguments, None)


def start_gated(
    arguments: LaunchArguments,
    after: Callable[[TrialRecord], bool] | None,
    function: str = "start",
) -> Run:
    """`start`, with workers that wait until ``after`` has seen how the trials before ended.

    ``after`` gets each trial that has ended, in a thread of this process; once it returns True,
    no other trial begins. None: nobody waits. ``function``: what the user has called.
    """
    refuse_inside(function)
    open_standard()
    plan = make_plan(arguments)
    return _begin(plan, _make_engine(plan), after)


def _make_engine(plan: Plan) -> Engine:
    if plan.given.engine == "local":
        from asha_bus.driver.local import LocalEngine

        return LocalEngine()
    try:
        from asha_bus.driver.spark import SparkEngine
    except ModuleNotFoundError as error:
        if error.name not in ("pyspark", "py4j"):
            raise
        raise WorkerError(
            f"engine='spark' needs {error.name}, which is not installed: "
            f"pip install 'asha-bus[spark]', or use engine='local', which needs no Spark"
        ) from error
    return SparkEngine(plan.given.spark, name=plan.name, task=spark_task, ping=ping, load=load_once)


def _begin(plan: Plan, engine: Engine, after: Callable[[TrialRecord], bool] | None) -> Run:
    given = plan.given
    scheduler = named(plan.settings.scheduler)
    sizes = (
        check_travels(given.objective, engine.dumps),
        check_space_travels(plan.space, engine.dumps),
    )
    options = given.bus or BusOptions.from_conf(engine.conf)
    workers = engine.worker_count(given.workers, options.slots_timeout_s)
    plan = plan.with_options(options, workers)
    most = options.max_data_bytes
    for text in warnings_of_weight(given.objective, plan.space, sizes, engine.dumps, most):
        logger.warning("%s", text)
    if after is not None:
        plan = replace(plan, settings=replace(plan.settings, hooks=True))
    data = gather(given.data or {}, most, engine.dumps)
    warn_of_residents(plan.settings)
    journal = _open(plan)
    with emptied_if_it_fails(journal):
        return _begin_with(journal, plan, scheduler, engine, after, options, workers, data)


def _begin_with(
    journal: OpenJournal,
    plan: Plan,
    scheduler: SchedulerClass | None,
    engine: Engine,
    after: Callable[[TrialRecord], bool] | None,
    options: BusOptions,
    workers: int,
    data: Mapping[str, Any],
) -> Run:
    """Begin the run of ``journal``, which is closed with the run's bus."""
    given = plan.given
    try:
        if journal.is_resumed:
            plan = plan.resumed(journal.header)
        # of the seed that the run has, which a resumed one brings along
        suggester = make_suggester(plan.search, engine.dumps)
        own_rules = make_hooks(plan.hooks, engine.dumps)
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
    supervisor = Supervisor(
        suggester if after is None else _gated(suggester, after, plan, engine, workers), own_rules
    )
    resumed = Resumed(plan.settings, given.retry_failed) if journal.is_resumed else None
    try:
        port = supervisor.start(
            journal,
            resumed,
            scheduler,
            sync=options.sync,
            host=options.host or engine.listen_host,
            port=options.port,
            timeout_s=options.start_timeout_s,
            bus_timeout_s=options.bus_timeout_s,
        )
        host = options.host
        if host is None or host in EVERY_ADDRESS:
            host = engine.host
        address = supervisor.keys.address(plan.settings.run, tcp(host, port), options.bus_timeout_s)
        job = Job(
            address,
            given.objective,
            plan.space,
            given.capture_output,
            engine.share(data),
            pauses=plan.settings.scheduler.pauses,
            saves=plan.settings.saves,
            are_saves_private=bool(plan.settings.saves) and not is_folder_given(given),
            keeping=_keeping(plan, options),
        )
        engine.preflight(job, ship_packages=options.ship_packages)
        if resumed is not None:
            plan = replace(plan, done=supervisor.status().finished)
        monitors = open_monitors(plan.monitors, plan.info) + ([] if page is None else [page])
        follower = Follower(plan, supervisor, engine, monitors, exporter, data)
        if resumed is not None:
            follower.logger.info("%s", first_line(plan.info))
        used = 0.0 if resumed is None else follower.status().elapsed_s
        if given.max_time is not None and used >= given.max_time:
            text = "max_time=%g is used up: all launches of this run took %.1f s; give more"
            follower.logger.warning(text, given.max_time, used)
        hooks = Hooks(
            follower.on_worker_exited,
            follower.has_workers,
            follower.on_engine_failure,
            follower.on_output,
        )
        engine.start(job, workers, hooks)
        follower.start()
    except BaseException:  # not even an interrupt may leave a bus behind
        supervisor.close()
        views.close()
        engine.close(0.0)
        raise
    return Run(
        follower,
        address.endpoint,
        metrics_url=None if exporter is None else exporter.url,
        page_url=None if page is None else page.url,
    )


def _keeping(plan: Plan, options: BusOptions) -> Keeping | None:
    """Where what trials attach is kept, if anywhere."""
    folder = plan.settings.keeps
    if not folder:
        return None
    return Keeping(folder, plan.given.keep_artifacts, options.max_artifact_bytes)


def _gated(
    suggester: Suggester,
    after: Callable[[TrialRecord], bool],
    plan: Plan,
    engine: Engine,
    workers: int,
) -> Gate:
    """``suggester`` behind a gate that ``after`` keeps; ``engine`` begins with ``workers``."""
    return Gate(
        suggester,
        lambda row: after(TrialRecord.from_row(row, plan.space)),
        workers=lambda: engine.started() or workers,
        repeats=plan.settings.repeats,
    )


def _open_endpoint(plan: Plan, options: BusOptions, engine: Engine) -> Exporter | None:
    """Where the run's metrics are served, if anywhere."""
    port = plan.given.metrics_port
    if port is None:
        return None
    from asha_bus.driver.exporter import Exporter
    from asha_bus.driver.readings import Facts

    settings = plan.settings
    host = options.metrics_host
    exporter = Exporter(
        plan.name,
        Facts(
            mode=settings.mode,
            scheduler=shortened(settings.scheduler, 1_000),
            objective=name_of(plan.given.objective),
            engine=plan.given.engine,
            version=__version__,
            max_trials=settings.max_trials,
            start_time=time.time(),
            searcher=settings.searcher,
        ),
        host=host,
        port=port,
        public_host=engine.host if host in EVERY_ADDRESS else host,
        sd_file=options.sd_file,
    )
    if port == 0:
        print_text(f"metrics of {plan.name}: {exporter.url}\n")
    return exporter


def _open_page(plan: Plan) -> Page | None:
    """The live page of the run, if there is to be one."""
    page_port = plan.given.page
    if page_port is False:
        return None
    from asha_bus.monitors.page import Page

    page = Page(plan.name, 0 if page_port is True else page_port)
    print_text(f"page of {plan.name}: {page.url}\n")
    return page


def _open(plan: Plan) -> OpenJournal:
    """The journal of the run; a temporary one has no name, and is gone with its last user."""
    seed_given = plan.given.seed is not None
    if plan.journal is not None:
        return open_journal(
            plan.journal, plan.header, resume=plan.given.resume, seed_given=seed_given
        )
    with tempfile.TemporaryDirectory(prefix="asha-bus-") as folder:
        journal = open_journal(
            Path(folder) / "journal", plan.header, resume=False, seed_given=seed_given
        )
    return journal._replace(is_temporary=True)
