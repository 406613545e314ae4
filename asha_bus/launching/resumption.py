"""Writes the call that resumes a run, from its journal."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import fields

from asha_bus.core.checks import shortened
from asha_bus.core.events import RunSettings
from asha_bus.core.schedulers import SHIPPED, NoStopping, Scheduler, Schedulers
from asha_bus.formats.journal import Header, read_header
from asha_bus.launching.arguments import LaunchArguments
from asha_bus.launching.options import BusOptions
from asha_bus.objective.kept import place_of
from asha_bus.results.journals import read_journal
from asha_bus.results.records import UNFINISHED
from asha_bus.results.result import Result
from asha_bus.results.tables import visible

#: Arguments of a launch that the settings of a run have by another name.
_SETTINGS = {"max_time": "max_time_s", "trial_timeout": "trial_timeout_s"}
#: Arguments that come with the journal itself, or are written in a way of their own.
_APART = {"scheduler", "searcher", "max_trials", "seed", "workers"}
#: A searcher that can be written from its description, which anybody may have put there.
_TPE = re.compile(r"TPE\([\w=., +-]*\)")


def resume_call(path: str | os.PathLike[str], schedulers: Schedulers = ()) -> str:
    """The call that resumes the run in the journal at ``path``, as a program would have it.

    Objective and space are named as variables, since a journal does not hold them. Raises
    `InvalidArgument` or `JournalError` if the journal cannot be read.
    """
    data = read_journal(path)
    header, _ = read_header(data, os.fspath(path), schedulers)
    result = Result._replayed(data, os.fspath(path), None, schedulers)
    settings = result.settings
    assert settings is not None, "a journal has settings"
    lines = [
        f"    objective,  # {_comment(header.identity.get('objective', 'as before'))}",
        f"    space,  # {_comment(shortened(result.space, 2_000))}",
        *(f"    {line}" for line in _arguments(header, settings, result)),
        f"    journal={os.fspath(path)!r},",
        "    resume=True,",
    ]
    return "\n".join([*_remarks(settings, result), "result = ab.launch(", *lines, ")"])


def _remarks(settings: RunSettings, result: Result) -> Iterator[str]:
    yield f"# {_comment(result.name)}: {len(result.trials)} trials, {_comment(result.reason)}"
    if result.reason != UNFINISHED:
        yield f"# the run has ended by {_comment(result.reason)}; to extend it, raise that limit"
    if settings.hooks:
        yield "# the run had functions that hear of its trials: add stop_trial= or stop_run="
    yield "# add what no journal holds if you gave it: data=, history=, keep_artifacts=, page="


def _arguments(header: Header, settings: RunSettings, result: Result) -> Iterator[str]:
    scheduler = settings.scheduler
    if scheduler != NoStopping():
        yield f"scheduler={_scheduler(scheduler)},"
    searcher = header.identity.get("searcher", "RandomSearch")
    if searcher == "TPE" and _TPE.fullmatch(settings.searcher):
        yield f"searcher=ab.{settings.searcher},"
    elif searcher != "RandomSearch":
        yield f"searcher=searcher,  # {_comment(settings.searcher or searcher)}"
    if settings.max_trials is not None and settings.limit_reason != "exhausted":
        yield f"max_trials={settings.max_trials},"
    for field in fields(LaunchArguments):
        value = getattr(settings, _SETTINGS.get(field.name, field.name), field.default)
        if field.name not in _APART and value != field.default:
            yield f"{field.name}={value!r},"
    if header.identity.get("unique"):
        yield "unique=True,"
    if header.identity.get("initial"):
        yield "initial=initial,  # the configurations that were tried first"
    if any((trial.worker or "").startswith("local-") for trial in result.trials):
        yield "engine='local',"
    if settings.workers is not None:
        yield f"workers={settings.workers},"
    if settings.keeps:
        yield f"artifacts={place_of(settings.keeps)!r},"
    options = {
        field.name: getattr(settings, field.name)
        for field in fields(BusOptions)
        if getattr(settings, field.name, field.default) not in (field.default, None)
    }
    if options:
        inside = ", ".join(f"{name}={value!r}" for name, value in options.items())
        yield f"bus=ab.BusOptions({inside}),"


def _scheduler(scheduler: Scheduler) -> str:
    text = visible(repr(scheduler))
    return f"ab.{text}" if type(scheduler) in SHIPPED else text


def _comment(text: str) -> str:
    """``text`` from a file, which must not end the comment that it stands in."""
    return visible(text).replace("\n", " ").replace("\t", " ")
