"""The command line, ``asha-bus``: see ``--help``."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

import asha_bus
from asha_bus.core.errors import AshaBusError, InvalidArgument
from asha_bus.core.schedulers import Scheduler
from asha_bus.formats.strict_json import to_json
from asha_bus.results.tables import visible

#: Seconds of a load test, and of one that only shows that it works.
_LOAD_SECONDS = 20.0
_SMOKE_SECONDS = 3.0
#: The schedulers that can be simulated by name.
_SIMULATED = ("asha", "promotion", "halving", "hyperband", "median", "none")
#: The status that a shell shows for a program which SIGPIPE ended.
_BROKEN_PIPE = 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when all went well, 2 for bad input, 1 for any other error of ours.

    `doctor` also returns 1 if a check fails.

    It ends quietly where its reader has left.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    command: Callable[[argparse.Namespace], int | None] = given.command
    try:
        status = command(given) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:  # as in `asha-bus report run.journal | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is left is flushed at the exit
        return _BROKEN_PIPE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print(f"asha-bus: the output cannot be written: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except InvalidArgument as error:
        print(f"asha-bus: {visible(str(error))}", file=sys.stderr)
        return 2
    except AshaBusError as error:
        print(f"asha-bus: {visible(str(error))}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in _EXTRAS:
            raise
        print(
            f"asha-bus: {name} is not installed; this command needs an extra: "
            f"pip install 'asha-bus[{_EXTRAS[name]}]'",
            file=sys.stderr,
        )
        return 1
    return status


#: What some commands need beyond the package's own requirements, with its extra.
_EXTRAS = {
    "matplotlib": "plots",
    "numpy": "demo",
    "pyspark": "demo",
    "sklearn": "demo",
    "threadpoolctl": "demo",
    "tornado": "page",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="asha-bus", description=asha_bus.__doc__.splitlines()[0])
    parser.add_argument("--version", action="version", version=f"asha-bus {asha_bus.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="tune a real model on real data and show the figures")
    demo.add_argument("--engine", choices=("spark", "local"), default="spark")
    demo.add_argument("--workers", type=_count, help="default: all slots of local[2], or all cores")
    demo.add_argument("--trials", type=_count, default=81, help="default: %(default)s")
    demo.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    demo.set_defaults(command=_demo)
    examined = commands.add_parser("doctor", help="check this machine and a cluster before a run")
    _add_doctor_arguments(examined)
    examined.set_defaults(command=_doctor)
    load = commands.add_parser("load-test", help="measure a decision's round trip beside an echo")
    add_load_test_arguments(load)
    load.set_defaults(command=load_test)
    watch = commands.add_parser("watch", help="serve the live page of the run in a journal")
    watch.add_argument("journal", metavar="JOURNAL")
    watch.add_argument("--port", type=int, default=0, help="default: any free port")
    _add_schedulers(watch)
    watch.set_defaults(command=_watch)
    report = commands.add_parser("report", help="show the run in a journal, running or ended")
    report.add_argument("journal", metavar="JOURNAL")
    report.add_argument("--html", metavar="PATH", help="write it as one self-contained HTML file")
    _add_schedulers(report)
    report.set_defaults(command=_report)
    simulated = commands.add_parser(
        "simulate", help="run a scheduler with any number of workers in virtual time"
    )
    _add_simulate_arguments(simulated)
    simulated.set_defaults(command=_simulate)
    story = commands.add_parser("story", help="show all that happened to one trial of a journal")
    story.add_argument("journal", metavar="JOURNAL")
    story.add_argument("trial", metavar="TRIAL", type=int, help="the trial's number, from 0")
    _add_schedulers(story)
    story.set_defaults(command=_story)
    listed = commands.add_parser("runs", help="list the journals and saved results in a folder")
    listed.add_argument("folder", metavar="FOLDER")
    listed.add_argument(
        "--headers", action="store_true", help="read only the beginning of each journal"
    )
    _add_schedulers(listed)
    listed.set_defaults(command=_runs)
    compared = commands.add_parser("compare", help="compare runs: a table, and a chart")
    compared.add_argument("runs", metavar="RUN", nargs="+", help="a journal or a saved result")
    compared.add_argument("--html", metavar="PATH", help="write table and chart as one HTML file")
    compared.add_argument("--png", metavar="PATH", help="write the chart as a picture")
    _add_schedulers(compared)
    compared.set_defaults(command=_compare)
    resumed = commands.add_parser("resume", help="print the call that resumes the run in a journal")
    resumed.add_argument("journal", metavar="JOURNAL")
    _add_schedulers(resumed)
    resumed.set_defaults(command=_resume)
    dashboard = commands.add_parser(
        "dashboard", help="write dashboards, alert rules and settings for Prometheus and Grafana"
    )
    dashboard.add_argument("folder", metavar="DIR")
    dashboard.add_argument("--force", action="store_true", help="overwrite files that differ")
    dashboard.set_defaults(command=_dashboard)
    return parser


def _add_doctor_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--master", metavar="URL", help="Spark's master; default: that of its configuration")
    add("--host", help="as BusOptions(host=...); default: of spark.ashaBus.host, or the driver's")
    add("--port", type=int, help="as BusOptions(port=...); default: of spark.ashaBus.port, or any")
    add("--ship-packages", action="store_true", help="as BusOptions(ship_packages=True)")
    add("--timeout", type=_seconds, default=30.0, help="seconds for each step; default: 30")
    add("--json", action="store_true", help="print the report as one line of JSON")


def _add_simulate_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--journal", metavar="RUN", help="use this run's trials; default: curves like networks'")
    add("--workers", type=_count, help="default: 100, or those of the journal")
    add("--trials", type=_count, help="default: 10,000, or those of the journal")
    add("--scheduler", choices=_SIMULATED, help="default: asha, or that of the journal")
    add("--max-resource", type=float, help="default: 256, or that of the journal's scheduler")
    add("--min-resource", type=float, default=1.0, help="default: %(default)s")
    add("--eta", type=_count, default=3, help="the reduction factor; default: %(default)s")
    add("--step-s", type=float, help="seconds for a unit of resource; default: 10, or its own")
    add(
        "--latency-s",
        type=float,
        help="seconds that a message takes; default: 0.001, or 0 for a journal",
    )
    add(
        "--service-s",
        type=float,
        default=50e-6,
        help="seconds of the router for a message; default: %(default)s",
    )
    add(
        "--failures",
        type=float,
        default=0.0,
        help="how often a trial fails in a second of work; default: never",
    )
    add(
        "--losses",
        type=float,
        default=0.0,
        help="how often a worker dies in a second of work; default: never",
    )
    add("--max-time", type=float, help="virtual seconds; default: no limit")
    add("--seed", type=int, help="default: 0, or that of the journal")
    _add_schedulers(parser, "--journal-scheduler")


def _add_schedulers(parser: argparse.ArgumentParser, option: str = "--scheduler") -> None:
    parser.add_argument(
        option,
        dest="classes",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="the class of the run's scheduler, if it is not one of asha-bus; it is imported",
    )
    parser.set_defaults(class_option=option)


def _schedulers(given: argparse.Namespace) -> list[type[Scheduler]]:
    """The classes that the user named; what a journal names is never imported."""
    found = []
    for text in given.classes:
        module, _, name = text.partition(":")
        if os.getcwd() not in sys.path:  # where `python -m` would also find it
            sys.path.append(os.getcwd())
        try:
            cls = getattr(import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise InvalidArgument(
                f"{given.class_option} {text}: {error}; give it as MODULE:CLASS, for instance "
                f"mine:Mine"
            ) from error
        if not (isinstance(cls, type) and issubclass(cls, Scheduler)):
            raise InvalidArgument(f"{given.class_option} {text}: this is not a class of schedulers")
        found.append(cls)
    return found


def add_load_test_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the load test."""
    parser.add_argument("--workers", type=_count, default=1, help="default: %(default)s")
    parser.add_argument(
        "--seconds", type=_seconds, default=_LOAD_SECONDS, help="default: %(default)s"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument(
        "--busy-driver",
        action="store_true",
        help="keep the user's process busy with a Python loop in every second round",
    )
    parser.add_argument("--smoke", action="store_true", help="only check that it works")


def load_test(given: argparse.Namespace) -> None:
    """Measure and print."""
    from asha_bus.bench import load as module

    seconds = _SMOKE_SECONDS if given.smoke else given.seconds
    report = module.measure(workers=given.workers, seconds=seconds, busy_driver=given.busy_driver)
    print(module.show(report), flush=True)
    if given.json:
        print(to_json(report.to_plain()), flush=True)


def _doctor(given: argparse.Namespace) -> int:
    from asha_bus.diagnosis._doctor import doctor

    named = {"host": given.host, "port": given.port, "ship_packages": given.ship_packages or None}
    options = {name: value for name, value in named.items() if value is not None}
    bus = asha_bus.BusOptions(**options) if options else None
    report = doctor(bus=bus, master=given.master, timeout_s=given.timeout)
    print(to_json(report.to_plain()) if given.json else report, flush=True)
    return 0 if report.ok else 1


def _demo(given: argparse.Namespace) -> None:
    from asha_bus.bench import demo

    text = demo.run(
        engine=given.engine, workers=given.workers, trials=given.trials, seed=given.seed
    )
    print(text, flush=True)


def _watch(given: argparse.Namespace) -> None:
    from asha_bus.monitors.watch import watch

    with contextlib.suppress(KeyboardInterrupt):
        watch(given.journal, given.port, _schedulers(given))


def _report(given: argparse.Namespace) -> None:
    from asha_bus.results.result import Result

    result = Result.from_journal(given.journal, schedulers=_schedulers(given))
    print(result)
    if result.best is not None:
        print(result.explain(result.best.id), flush=True)
    if given.html is not None:
        print(f"written: {result.report(given.html)}", flush=True)


def _simulate(given: argparse.Namespace) -> None:
    from asha_bus.simulation.command import run

    print(run(given, _schedulers(given)), flush=True)


def _story(given: argparse.Namespace) -> None:
    from asha_bus.results.story import story_of

    print(story_of(given.journal, given.trial, _schedulers(given)), flush=True)


def _runs(given: argparse.Namespace) -> None:
    from asha_bus.results._runs import runs

    found = runs(given.folder, headers=given.headers, schedulers=_schedulers(given))
    print(found, flush=True)


def _compare(given: argparse.Namespace) -> None:
    from asha_bus.results._compare import Comparison, write
    from asha_bus.results.result import read_result

    classes = _schedulers(given)
    compared = Comparison([(path, read_result(path, classes)) for path in given.runs])
    print(compared, flush=True)
    if given.html is not None:
        print(f"written: {write(given.html, compared.html().encode())}", flush=True)
    if given.png is not None:
        print(f"written: {write(given.png, compared.picture('png'))}", flush=True)


def _resume(given: argparse.Namespace) -> None:
    from asha_bus.launching.resumption import resume_call

    print(resume_call(given.journal, _schedulers(given)), flush=True)


def _dashboard(given: argparse.Namespace) -> None:
    from asha_bus.grafana import files

    written = files.write(given.folder, force=given.force)
    print(files.describe(given.folder, written), flush=True)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= 86_400:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most a day, got {text}")
    return number


if __name__ == "__main__":
    sys.exit(main())
