"""What a run says of itself when it goes wrong, to people who only look at its output."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import textwrap
import traceback
from pathlib import Path
from typing import Any

import pytest
from support import objectives, objectives_that_fail
from support.processes import wait_until
from support.screen import Screen
from support.terminals import environment, run_in_terminal

import asha_bus as ab
from asha_bus.core.trial import TrialState

S = TrialState
SPACE = {"x": ab.uniform(0, 1)}


def run(objective: Any, **arguments: Any) -> Any:
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    return ab.launch(objective, SPACE, **{**settings, **arguments})


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]


def test_trials_that_were_cancelled_are_no_success(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ab.AllTrialsFailed, match=r"no trial succeeded .*: 5 FAILED of") as caught:
        run(objectives_that_fail.five_fail, max_trials=20)
    result = caught.value.result
    assert {S.FAILED: 5, S.CANCELLED: len(result.trials) - 5} == {
        state: count for state, count in result.counts.items() if count
    }
    assert len(result.trials) > 5
    first, last = warnings_in(caplog)
    assert first.startswith("trial ") and ": FAILED: KeyError: 'momentum'; its params" in first
    assert last.startswith("the run ended by failed, and no trial succeeded (the first 5 trials")
    assert last.rstrip().endswith("KeyError: 'momentum'")
    number = result.failures[0].id
    assert f"  first error: trial {number}: KeyError: 'momentum', params {{'x': " in repr(result)
    assert f"    its traceback is result.trials[{number}].error; the others" in repr(result)


@pytest.mark.parametrize("ending", ["max_time", "stopped"])
def test_an_end_that_was_asked_for_returns_the_result(
    ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    limit = {"max_time": 3.0} if ending == "max_time" else {"max_trials": 20}
    going = ab.start(
        objectives_that_fail.all_fail_slowly,
        SPACE,
        engine="local",
        workers=2,
        monitor=None,
        **limit,
    )
    if ending == "stopped":
        wait_until(lambda: going.status()["states"]["FAILED"] > 0)
        going.stop()
    result = going.result()
    assert ending == result.reason
    assert {S.FAILED, S.CANCELLED} == {trial.state for trial in result.trials}
    last = warnings_in(caplog)[-1]
    assert last.startswith(f"the run ended by {ending}, and no trial succeeded: 1 FAILED of")
    assert last.rstrip().endswith("KeyError: 'momentum'")


def test_each_kind_of_failure_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    result = run(objectives_that_fail.two_kinds, max_trials=30)
    assert "max_trials" == result.reason
    told = [
        re.sub(r"trial \d+", "trial N", line).partition("; its")[0] for line in warnings_in(caplog)
    ]
    assert sorted(told) == [
        "trial N: FAILED: KeyError: 'momentum'",
        "trial N: FAILED: ValueError: a line ... and another",
    ]
    assert 10 == len(result.failures)
    assert "\n  first error: trial 2: KeyError: 'momentum', params {'x': " in repr(result)


def test_max_failures_logs_the_first_traceback(caplog: pytest.LogCaptureFixture) -> None:
    result = run(objectives_that_fail.two_kinds, max_trials=30, max_failures=1)
    assert "failed" == result.reason
    last = warnings_in(caplog)[-1]
    assert last.startswith("the run ended by failed (2 trials failed or were lost, more than")
    assert last.rstrip().endswith("KeyError: 'momentum'")


# --- outputs that are no terminal ---------------------------------------------

PROGRAM = """
    import asha_bus as ab
    from support import objectives_that_fail

    if __name__ == "__main__":
        result = ab.launch(
            objectives_that_fail.two_kinds, {"x": ab.uniform(0, 1)}, engine="local", workers=2,
            max_trials=12, name="shown", seed=1,
        )
"""


def outputs_of(text: str, folder: Path) -> tuple[list[str], list[str]]:
    """The lines on stdout and on stderr of a program, neither of which is a terminal."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return ended.stdout.splitlines(), ended.stderr.splitlines()


def test_without_a_terminal_the_default_tells_beginning_and_end_on_stderr(tmp_path: Path) -> None:
    out, err = outputs_of(PROGRAM.replace("seed=1", "seed=1, journal='run.journal'"), tmp_path)
    assert [] == out
    assert (
        "shown: started with at most 12 trials, 2 workers, journal run.journal, "
        "NoStopping(max_resource=None), RandomSearch(), seed 1" == err[0]
    )
    assert re.match(r"shown: 12 trials, 4 failed, 0:\d\d, ended by max_trials, best: tr", err[-1])
    assert 2 == len([line for line in err if ": FAILED: " in line])


def test_a_terminal_counts_the_failed_trials(tmp_path: Path) -> None:
    text = run_in_terminal(PROGRAM, tmp_path)
    assert re.search(r"\d running, [1-4] failed, best 0\.\d+", text)
    assert "shown: started" not in text


def test_a_terminal_without_columns_gets_lines(tmp_path: Path) -> None:
    text = run_in_terminal(PROGRAM, tmp_path, rows=0, columns=0)
    assert "shown: started" in text
    assert "\x1b[" not in text


def test_a_journal_tells_the_searcher_and_the_first_error(tmp_path: Path) -> None:
    journal = tmp_path / "run.journal"
    result = run(objectives_that_fail.two_kinds, max_trials=9, journal=journal)
    assert "RandomSearch()" == result.searcher
    read = ab.Result.from_journal(journal)
    assert "RandomSearch()" == read.searcher
    lines = [line for line in repr(result).splitlines() if "error" in line or "searcher" in line]
    assert f"  searcher: RandomSearch(); the run's seed: {result.seed}" in lines
    assert 3 == len(lines)
    assert all(line in repr(read) for line in lines)
    page = read.report(tmp_path / "report.html").read_text()
    assert '"searcher": "RandomSearch()"' in page.replace('":"', '": "')
    assert "KeyError: 'momentum'" in page


def test_an_error_of_a_run_has_one_frame_of_ours_however_often_it_is_raised() -> None:
    going = ab.start(
        objectives_that_fail.five_fail, SPACE, engine="local", workers=2, monitor=None, max_trials=9
    )
    for _ in range(2):
        with pytest.raises(ab.AllTrialsFailed) as caught:
            going.result()
        frames = traceback.extract_tb(caught.value.__traceback__)
        ours = [one.name for one in frames if "/tests/" not in one.filename]
        assert ["call"] == ours
        assert 2 == len(frames)
    error = caught.value.result.failures[0].error or ""
    assert "objectives_that_fail.py" in error
    assert not re.search("asha_bus/|executor/", error)


def test_a_searcher_and_a_limit_show_the_users_frames_alone() -> None:
    with pytest.raises(ab.AllTrialsFailed) as caught:
        run(objectives_that_fail.waits, trial_timeout=0.3, fail_fast=True, max_trials=3)
    error = caught.value.result.failures[0].error or ""
    assert "objectives_that_fail.py" in error
    assert "executor" not in error
    assert error.splitlines()[-1].startswith("TrialTimeout: the trial ran longer than")
    with pytest.raises(ab.SearcherError) as failed:
        run(objectives_that_fail.waits, searcher=objectives_that_fail.NoIdea(), max_trials=3)
    assert ", in suggest\n" in str(failed.value)
    assert "adapter.py" not in str(failed.value)


# --- log records beside what a monitor draws ---------------------------------------

LOGGING = """
    import logging
    import asha_bus as ab
    from support import objectives_that_fail

    if __name__ == "__main__":
        if CONFIGURED:
            logging.basicConfig(format="%(levelname)s: %(message)s", level="INFO")
        ab.launch(
            objectives_that_fail.OBJECTIVE, {"x": ab.grid(1, 2, 3, 4)}, engine="local",
            workers=2, name="shown", monitor=MONITOR, scheduler=ab.NoStopping(4), retries=9,
        )
"""


@pytest.mark.parametrize("monitor", ["progress", "text"])
@pytest.mark.parametrize("configured", [True, False])
def test_log_records_stand_whole_above_what_is_drawn(
    tmp_path: Path, monitor: str, configured: bool
) -> None:
    objective = "logs_two_lines" if configured else "fails_at_first"
    program = LOGGING.replace("CONFIGURED", str(configured)).replace("OBJECTIVE", objective)
    text = run_in_terminal(program.replace("MONITOR", repr(monitor)), tmp_path, columns=200)
    screen = Screen(24, 200)
    screen.feed(text)
    lines = [line.rstrip() for line in screen.lines]  # tqdm clears a line by blanks
    if configured:
        heads = [number for number, line in enumerate(lines) if line.startswith("INFO: trial ")]
        assert 16 == len(heads)
        assert ["and a second line"] * 16 == [lines[number + 1] for number in heads]
    else:
        (head,) = [n for n, line in enumerate(lines) if line.endswith("the trial is restarted:")]
        assert re.fullmatch(r"trial \d: attempt 1 failed, and the trial is restarted:", lines[head])
        assert "Traceback (most recent call last):" == lines[head + 1]
    drawn = [line for line in lines if line.startswith("shown: ")]
    assert 1 == len(drawn), "the line or the table is left once"


# --- what a result warns of -----------------------------------------------------------


def test_clean_ups_that_raise_are_logged_once_and_counted(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    journal = tmp_path / "run.journal"
    result = run(
        objectives_that_fail.raises_in_its_clean_up,
        max_trials=9,
        scheduler=ab.ASHA(9),
        journal=journal,
    )
    first, last = warnings_in(caplog)
    assert "IndexError: index" in first
    assert first.endswith("(others of this kind are not logged; Result.warnings counts them)")
    (warning,) = result.warnings
    assert warning == last
    assert re.fullmatch(
        r"trial \d: error while the stopped trial was ending: IndexError: index \d out of range "
        r"\(8 more like this\)",
        warning,
    )
    assert result.warnings == ab.Result.from_journal(journal).warnings
    assert warning in result.report(tmp_path / "report.html").read_text()


@pytest.mark.parametrize("scheduler", [ab.ASHA(3), ab.NoStopping()])
def test_a_run_without_a_usable_metric_says_so_before_its_end(
    scheduler: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    going = ab.start(
        objectives_that_fail.not_numbers, SPACE, engine="local", workers=2, monitor=None,
        max_trials=400, scheduler=scheduler, journal=tmp_path / "run.journal",
    )  # fmt: skip
    wait_until(lambda: any("usable metric" in line for line in warnings_in(caplog)))
    assert not going.done
    going.stop()
    result = going.result()
    (line,) = warnings_in(caplog)
    assert re.fullmatch(r"no trial has a usable metric: all \d+ ended with nan", line)
    assert (result.best_reason,) == result.warnings
    assert result.warnings == ab.Result.from_journal(tmp_path / "run.journal").warnings


def test_attempts_that_are_lost_with_their_workers_are_counted(tmp_path: Path) -> None:
    journal = tmp_path / "run.journal"
    result = run(objectives.dies_once, max_trials=6, journal=journal)
    assert ("1 attempt was lost with a worker, so the trial was run again",) == result.warnings
    assert result.warnings == ab.Result.from_journal(journal).warnings


# --- what cannot be meant -------------------------------------------------------


def test_a_scheduler_that_judged_nothing_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    scheduler = ab.ASHA(81, min_resource=27)
    result = run(objectives_that_fail.nine, max_trials=8, scheduler=scheduler)
    assert 8 == result.counts[S.COMPLETED]
    (line,) = warnings_in(caplog)
    assert f"{scheduler!r} has judged nothing: " in line
    assert "the best one ended at resource 9" in line


def test_a_scheduler_that_judged_is_not(caplog: pytest.LogCaptureFixture) -> None:
    run(objectives_that_fail.nine, max_trials=8, scheduler=ab.ASHA(81, min_resource=3))
    assert [] == warnings_in(caplog)


def test_a_space_without_parameters_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    ab.launch(lambda lr: 1.0, {"lr": (0, 1)}, engine="local", workers=1, monitor=None, max_trials=1)
    (line,) = warnings_in(caplog)
    assert line.startswith("the space has no parameter, so every trial is the same: {'lr': (0, 1)}")


# --- a run of two launches --------------------------------------------------------


def test_a_resumed_run_counts_all_workers_and_no_pause(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    journal = tmp_path / "run.journal"
    going = ab.start(
        objectives_that_fail.waits, SPACE, engine="local", workers=2, monitor=None, seed=7,
        max_trials=4, journal=journal,
    )  # fmt: skip
    wait_until(lambda: going.status()["states"]["RUNNING"] > 0)
    going.stop(now=True)
    first = going.result()
    assert S.CANCELLED in {trial.state for trial in first.trials}
    ended = max(trial.end_time or 0.0 for trial in first.trials)
    result = run(objectives_that_fail.waits, max_trials=4, journal=journal, resume=True)
    assert first.bus.workers + 2 == result.bus.workers
    resumed = [one.getMessage() for one in caplog.records if "resumed" in one.getMessage()]
    done = sum(trial.state is S.COMPLETED for trial in first.trials)
    assert 1 == len(resumed)
    assert f": resumed: {done} of 4 trials done, 2 workers, journal {journal}, NoSt" in resumed[0]
    read = ab.Result.from_journal(journal)
    assert result.bus.workers == read.bus.workers
    for trial in (*result.trials, *read.trials):
        assert ended < trial.attempt_time < trial.end_time
        assert trial.end_time - trial.attempt_time < 1.5 + 20
    assert result.trials[0].start_time < ended  # when it was first begun
