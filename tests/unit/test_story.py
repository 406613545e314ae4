"""All that happened to one trial, read from a journal."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asha_bus import InvalidArgument, JournalError, Result, cli
from asha_bus.core import messages as m
from asha_bus.core.events import Resumed, StopRun, StopTrial, WorkerExited
from asha_bus.core.schedulers import ASHA, PromotionASHA, SuccessiveHalving
from asha_bus.core.space import Space, uniform
from asha_bus.formats.journal import Header
from asha_bus.formats.records import Encoder
from asha_bus.formats.space_form import describe
from asha_bus.results.story import story_of
from asha_bus.testing.simulator import Bench

#: Noon of the first day of 1970 and of the run.
NOON = 43_200.0


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "run.journal"


def write(bench: Bench, journal: Path) -> None:
    header = Header("my-run", bench.settings, describe(Space(x=uniform(0, 9))), {}, "0.1.0")
    encoder = Encoder()
    journal.write_bytes(header.encode() + b"".join(map(encoder.encode, bench.records)))


def told(bench: Bench, journal: Path, trial: int) -> list[str]:
    write(bench, journal)
    return [one.text for one in story_of(journal, trial).happenings]


def pausing(**settings: Any) -> Bench:
    return Bench(scheduler=PromotionASHA(max_resource=3), max_trials=9, **settings)


def test_a_trial_that_is_promoted_and_resumed(journal: Path) -> None:
    bench = pausing()
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.5)
    bench.report("b", 1, 1, 0.75)
    bench.report("b", 3, 1, 0.875)
    bench.now += 7.0
    bench.report("a", 2, 1, 0.625)
    bench.report("a", 0, 3, 0.25)
    assert [
        "attempt 1 begins, with a",
        "rung 0 at resource 1: metric 0.5, number 1 here: paused, in the memory of a",
        "rung 0 decided, when 3 had come: it is to go on",
        "resumed by a",
        "ended COMPLETED at resource 3 with metric 0.25",
    ] == told(bench, journal, 0)
    assert [0.0, 0.0, 0.0, 7.0, 7.0] == [one.seconds for one in story_of(journal, 0).happenings]


def test_a_trial_whose_worker_dies_while_it_has_paused(journal: Path) -> None:
    bench = pausing()
    bench.join("a", "b")
    bench.report("a", 0, 1, 0.5)
    bench.handle(WorkerExited("slot of a"))
    bench.report("b", 1, 1, 0.75)
    bench.report("b", 2, 1, 0.875, attempt=2)  # it was lost with a
    assert [
        "attempt 1 begins, with a",
        "rung 0 at resource 1: metric 0.5, number 1 here: paused, in the memory of a",
        "a has it in memory no longer: its process ended",
        "rung 0 decided, when 3 had come: it is to go on",
        "it waits for any worker, to be trained again from the start",
        "attempt 2 begins from the start, with b",
    ] == told(bench, journal, 0)
    assert [
        "attempt 1 begins, with a",
        "attempt 1 with a is lost: its process ended",
        "attempt 2 begins from the start, with b",
        "rung 0 at resource 1: metric 0.875, number 3 here: paused, in the memory of b",
    ] == told(bench, journal, 2)


def test_a_trial_that_is_dropped(journal: Path) -> None:
    bench = Bench(scheduler=PromotionASHA(max_resource=3, max_resident=1), max_trials=9)
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    bench.report("a", 1, 1, 0.75)  # one too many
    bench.send("a", m.Dropped((0,)))
    assert [
        "attempt 1 begins, with a",
        "rung 0 at resource 1: metric 0.75, number 2 here: paused, in the memory of a",
        "a has it in memory no longer: it had too many",
    ] == told(bench, journal, 1)
    assert "a has it in memory no longer: it was short of memory" == told(bench, journal, 0)[-1]


def test_a_trial_that_is_saved_and_loaded(journal: Path) -> None:
    scheduler = SuccessiveHalving([(1, 2), (1, 1)], max_resident=1)
    bench = Bench(scheduler=scheduler, max_trials=3, saves="there")
    bench.join("a")
    bench.report("a", 0, 1, 0.25)
    bench.report("a", 1, 1, 0.5)
    bench.send("a", m.Saved(9, 1, 1))
    bench.join("b")
    bench.report("b", 2, 1, 0.75)
    bench.end("b", 1, "dropped", metric=None, attempt=2)
    assert [
        "attempt 1 begins, with a",
        "rung 0 at resource 1: metric 0.5, number 2 here: paused, in the memory of a",
        "a has it in memory no longer: it had too many",
        "a saved its state, at resource 1",
        "rung 0 decided, when 3 had come: it is to go on",
        "it waits for any worker, to continue from its saved state",
        "attempt 2 begins from its saved state, with b",
        "attempt 2 with b: its saved state could not be loaded",
        "attempt 3 begins from the start, with b",
    ] == told(bench, journal, 1)


def test_a_trial_that_is_stopped_later(journal: Path) -> None:
    bench = Bench(scheduler=SuccessiveHalving([(1, 1), (2, 1)]), max_trials=3)
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    bench.report("a", 1, 1, 0.25)
    assert [
        "rung 0 decided, when 2 had come: stopped",
        "ended STOPPED at resource 1 with metric 0.5",
    ] == told(bench, journal, 0)[-2:]


def test_a_worker_that_does_not_know_of_its_trial(journal: Path) -> None:
    bench = Bench(scheduler=ASHA(max_resource=9), max_trials=9)
    bench.join("a")
    bench.ask("a")
    assert (
        "attempt 1 with a is lost: the worker asked for another trial"
        == (told(bench, journal, 0)[1])
    )


def test_a_trial_that_a_hook_stops(journal: Path) -> None:
    bench = pausing()
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    bench.handle(StopTrial(0))
    assert (
        "ended STOPPED at resource 1 with metric 0.5: a hook stopped it"
        == (told(bench, journal, 0)[-1])
    )
    assert Result.from_journal(journal).explain(0).endswith("metric 0.5: a hook stopped it")


def test_a_worker_that_falls_silent_and_returns_too_late(journal: Path) -> None:
    bench = Bench(scheduler=ASHA(max_resource=9), max_trials=9, lease_s=60.0)
    bench.join("a")
    bench.wait(61.0)
    bench.join("b")
    bench.report("a", 0, 1, 0.5)
    assert [
        "attempt 1 begins, with a",
        "attempt 1 with a: the worker fell silent, and another one may take the trial",
        "attempt 2 begins from the start, with b",
        "a report of attempt 1 by a was refused (fenced)",
    ] == told(bench, journal, 0)


def test_a_worker_that_returns_in_time(journal: Path) -> None:
    bench = pausing(lease_s=60.0)
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    bench.wait(61.0)
    bench.heartbeat("a")
    assert "a has it in memory no longer: it fell silent" in told(bench, journal, 0)
    assert "a returned, and continues attempt 1" == told(bench, journal, 1)[-1]


def test_attempts_that_fail(journal: Path) -> None:
    bench = Bench(scheduler=ASHA(max_resource=9), max_trials=1, retries=1)
    bench.join("a")
    bench.end("a", 0, "failed", error="Traceback\nValueError: first")
    bench.end("a", 0, "failed", error="Traceback\nValueError: second", attempt=2)
    assert [
        "attempt 1 begins, with a",
        "attempt 1 with a failed, and the trial is restarted: ValueError: first",
        "attempt 2 begins from the start, with a",
        "ended FAILED at resource 1 with metric 0.5: ValueError: second",
    ] == told(bench, journal, 0)


def test_a_run_that_is_continued(journal: Path) -> None:
    bench = Bench(scheduler=SuccessiveHalving([(1, 1), (2, 1)]), max_trials=3)
    bench.join("a")
    bench.report("a", 0, 1, 0.5)
    bench.handle(StopRun("stopped", "by the user"))
    bench.end("a", 1, "interrupted")
    bench.now += 5.0
    bench.handle(Resumed(replace(bench.settings, epoch=NOON), False))
    assert [
        "attempt 1 begins, with a",
        "rung 0 at resource 1: metric 0.5, number 1 here: paused, in the memory of a",
        "ended CANCELLED at resource 1 with metric 0.5: the run ended by stopped",
        "another launch continues the run: the trial is PAUSED",
    ] == told(bench, journal, 0)[:4]
    assert NOON + 5.0 == story_of(journal, 0).happenings[3].time


# --- the command ------------------------------------------------------------------


def test_the_command_shows_times_of_day_and_seconds(
    journal: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    bench = Bench(scheduler=ASHA(max_resource=9), max_trials=9, epoch=NOON)
    bench.now = 1.5
    bench.join("a")
    write(bench, journal)
    assert 0 == cli.main(["story", str(journal), "0"])
    head, line = capsys.readouterr().out.splitlines()
    assert "trial 0 of my-run: x=0.0" == head
    assert line.startswith("1970-01-01 ")
    assert ":00:01.500" in line
    assert line.endswith("       1.500 s  attempt 1 begins, with a")


@pytest.mark.parametrize("number", [1, -1])
def test_a_trial_that_is_not_there_is_named(
    number: int, journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(max_trials=9)
    bench.join("a")
    write(bench, journal)
    with pytest.raises(InvalidArgument, match=f"there is no trial {number} in "):
        story_of(journal, number)
    assert 2 == cli.main(["story", str(journal), "--", str(number)])
    assert "the run has 1, counted from 0" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="the file is one of Linux")
def test_a_file_that_opens_but_cannot_be_read_is_named() -> None:
    with pytest.raises(InvalidArgument, match="the journal '/proc/self/mem' cannot be read: Input"):
        story_of("/proc/self/mem", 0)


def test_a_file_that_is_no_journal_is_named(journal: Path) -> None:
    with pytest.raises(InvalidArgument, match="cannot be read"):
        story_of(journal, 0)
    journal.write_bytes(b"something else")
    with pytest.raises(JournalError, match="is not an asha-bus journal"):
        story_of(journal, 0)


def test_damage_is_named(journal: Path) -> None:
    bench = Bench(max_trials=9)
    bench.join("a", "b", "c")
    write(bench, journal)
    data = bytearray(journal.read_bytes())
    data[-200] ^= 0xFF
    journal.write_bytes(data)
    with pytest.raises(JournalError, match="is damaged"):
        story_of(journal, 0)
