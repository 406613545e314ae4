"""The front door: `launch` and `start` join the driver's side, the executors' and the user."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import asha_bus
from asha_bus.core.errors import InvalidArgument
from asha_bus.driver.engine import Engine, Hooks
from asha_bus.driver.journal import OpenJournal, open_journal
from asha_bus.driver.searcher_client import make_suggester
from asha_bus.driver.supervisor import Start, Supervisor
from asha_bus.executor.client import ping
from asha_bus.executor.task import spark_task
from asha_bus.launching.arguments import LaunchArguments, takes_arguments, with_args_of
from asha_bus.launching.job import BusAddress, Job
from asha_bus.launching.options import EVERY_ADDRESS, BusOptions
from asha_bus.launching.plan import Plan, make_plan
from asha_bus.launching.run import Run, wait_for
from asha_bus.monitors.choice import open_monitors
from asha_bus.objective.closure import check_space_travels, check_travels
from asha_bus.objective.data import gather
from asha_bus.objective.kinds import INSIDE, name_of
from asha_bus.results.result import Result

if TYPE_CHECKING:
    from asha_bus.driver.exporter import Exporter
    from asha_bus.monitors.page import Page


@takes_arguments
def launch(arguments: LaunchArguments) -> Result:
    """Tune an objective over a space, wait for the end and return the result.

    Ctrl-C ends the run and returns what there is; a second one kills the workers.

    Args:
        objective: What is to be tuned. A function of the space's parameters that returns a
            number; or a generator function of them that yields a number per unit of
            resource, and is closed when the trial is stopped; or a function whose first
            parameter is named ``trial``, a `Trial`, and which reports by hand.
        space: A `Space`, a dict of parameters, or a space of hyperopt.
        mode: Which metric is better: ``"min"`` (default) or ``"max"``.
        scheduler: What stops trials early, such as `ASHA`. Default None: every trial runs to
            its end.
        searcher: What suggests configurations: `RandomSearch`, a `Searcher`, or any object
            with its methods. One that learns runs in a process of its own. Default None:
            random search.
        max_trials: The run ends after this many trials. It, or ``max_time``, is needed unless
            the space is finite. Default None.
        max_time: The run ends after this many seconds: no new trial begins; running ones are
            told to stop at their next report, interrupted after 2 s, and killed after 5 s.
            Default None.
        stop_at: The run ends when a trial's last metric is as good as this, even if the trial
            is one of several repeats. Default None.
        spark: The `SparkSession` to use. Default None: the active one, or a new one.
        engine: ``"spark"`` (default), or ``"local"`` for processes of this machine.
        workers: How many trials run at a time. Default None: all free slots or cores.
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
            ``max_trials`` is the total, and the time between two launches does not count in
            ``max_time``. Default False.
        retry_failed: True runs failed and lost trials of a resumed run again. Default False.
        trial_timeout: Seconds that one attempt at a trial may take, clean-up included. Then
            it is interrupted and fails; 5 s later its worker's process is replaced. Default
            None: no limit.
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
        metrics_port: The port of the run's metrics for Prometheus, at
            ``BusOptions.metrics_host``, open until 15 s after the result was returned. 0 takes
            a free port and prints it. Runs of one process may share a port. Default None: no
            metrics.
        page: True serves a live page of the run at a free port of this machine and prints its
            address; a number is the port. It stays open until another run with a page ends.
            Needs ``pip install 'asha-bus[page]'``. Default False.

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
    return wait_for(_start(arguments))


@takes_arguments
def start(arguments: LaunchArguments) -> Run:
    """Start to tune an objective over a space, and return at once.

    Args:
        Those of `launch`, with the same defaults.

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
    return _start(arguments)


start.__doc__ = with_args_of(launch, start)


def _start(arguments: LaunchArguments) -> Run:
    if INSIDE.is_set():
        raise InvalidArgument(
            "launch() was called inside a running objective; tune one level at a time: "
            "launch from the driver, and call plain functions in the objective"
        )
    plan = make_plan(arguments)
    return _begin(plan, _make_engine(plan))


def _make_engine(plan: Plan) -> Engine:
    if plan.given.engine == "local":
        from asha_bus.driver.local import LocalEngine

        return LocalEngine()
    from asha_bus.driver.spark import SparkEngine

    return SparkEngine(plan.given.spark, name=plan.name, task=spark_task, ping=ping)


def _begin(plan: Plan, engine: Engine) -> Run:
    given = plan.given
    check_travels(given.objective, engine.dumps)
    check_space_travels(plan.space, engine.dumps)
    workers = engine.worker_count(given.workers)
    options = given.bus or BusOptions.from_conf(engine.conf)
    plan = plan.with_options(options)
    data = gather(given.data or {}, options.max_data_bytes)
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
    run = Run(plan, exporter, None if page is None else page.url)
    supervisor = Supervisor(suggester=suggester, on_end=run.on_end, on_death=run.on_death)
    resumed = plan.settings if journal.is_resumed else None
    try:
        suggester.open(supervisor.give_points, run.on_search_failure)
        port = supervisor.start(
            Start(journal, options.sync, resumed, given.retry_failed),
            options.host or engine.host,
            options.port,
            options.start_timeout_s,
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
        run.attach(address.endpoint, supervisor, engine, monitors)
        hooks = Hooks(run.worker_exited, run.fail, run.write)
        shared = engine.share(data)
        job = Job(address, given.objective, plan.space, given.capture_output, shared)
        engine.start(job, workers, hooks)
    except BaseException:  # an interrupt, too, must not leave a bus behind
        supervisor.close()
        views.close()
        engine.close(0.0)
        raise
    run.start()
    return run


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
            scheduler=repr(settings.scheduler),
            objective=name_of(plan.given.objective),
            engine=plan.given.engine,
            version=asha_bus.__version__,
            max_trials=settings.max_trials,
            start_time=time.time(),
        ),
        host=host,
        port=port,
        public_host=engine.host if host == EVERY_ADDRESS else host,
        sd_file=options.sd_file,
    )
    if port == 0:
        print(f"metrics of {plan.name}: {exporter.url}", flush=True)
    return exporter


def _open_page(plan: Plan) -> Page | None:
    """The live page of the run, if there is to be one."""
    page_port = plan.given.page
    if page_port is False:
        return None
    from asha_bus.monitors.page import Page

    page = Page(plan.name, 0 if page_port is True else page_port)
    print(f"page of {plan.name}: {page.url}", flush=True)
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
