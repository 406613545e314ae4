"""Runs that end too early, and are continued from their journal."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import msgpack
import pytest
from support import objectives
from support.processes import children_of, is_alive, wait_until

import asha_bus as ab
from asha_bus.core.trial import TrialState
from asha_bus.driver import journal as journal_file
from asha_bus.formats.journal import FORMAT, MAGIC
from asha_bus.formats.records import framed

SPACE = {"x": ab.uniform(0, 1)}
ASHA = ab.ASHA(max_resource=9)


def run(
    journal: Path,
    objective: Any = objectives.slope,
    space: Any = SPACE,
    launch: Any = ab.launch,
    **arguments: Any,
):
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7, "scheduler": ASHA}
    return launch(objective, space, journal=journal, **{**settings, **arguments})


def summary(trial: ab.TrialRecord) -> tuple[Any, ...]:
    return trial.id, trial.params, trial.state, trial.metric, trial.rungs, trial.end_time


PROGRAM = """
    import sys
    import asha_bus as ab
    from support import objectives

    if __name__ == "__main__":
        ab.launch(
            objectives.slow_slope, {"x": ab.uniform(0, 1)}, engine="local", workers=2, seed=7,
            max_trials=60, monitor=None, journal=sys.argv[1], scheduler=ab.ASHA(max_resource=9),
        )
"""


def killed_after(seconds: float, journal: Path, folder: Path) -> None:
    """A driver whose run is killed in the middle; bus and workers end with it."""
    program = folder / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([sys.executable, str(program), str(journal)], env=environment) as driver:
        wait_until(lambda: journal.exists() and journal.stat().st_size > 3_000)
        time.sleep(seconds)
        orphans = children_of(driver.pid, "asha_bus.")
        driver.kill()
        wait_until(lambda: not any(map(is_alive, orphans)))


@pytest.mark.parametrize("number", range(3))
def test_the_run_of_a_killed_driver_continues_where_it_was(number: int, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    killed_after(random.Random(number).uniform(0, 1), journal, tmp_path)
    before = ab.Result.from_journal(journal)
    assert before.reason == "unfinished"
    ended = [t for t in before.trials if t.state not in (TrialState.RUNNING, TrialState.PENDING)]
    assert ended
    result = run(journal, objectives.slow_slope, max_trials=60, resume=True)
    assert result.reason == "max_trials"
    assert len(result.trials) == 60
    for trial in ended:
        assert summary(result.trials[trial.id]) == summary(trial)
    for trial in before.trials:
        assert result.trials[trial.id].rungs[: len(trial.rungs)] == trial.rungs
        again = trial.state in (TrialState.RUNNING, TrialState.PENDING)
        assert result.trials[trial.id].attempts >= trial.attempts + (again and trial.attempts > 0)
    told = ab.Result.from_journal(journal)
    assert told.trials == result.trials
    whole = ab.launch(
        objectives.slope, SPACE, engine="local", seed=7, max_trials=60, monitor=None, scheduler=ASHA
    )
    assert [t.params for t in whole.trials] == [t.params for t in result.trials]


def test_a_finished_run_is_extended_to_a_new_total(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    first = run(journal, max_trials=10)
    longer = run(journal, max_trials=20, resume=True, seed=None)
    assert len(longer.trials) == 20
    assert longer.name == first.name
    assert list(map(summary, longer.trials[:10])) == list(map(summary, first.trials))
    assert {trial.attempts for trial in longer.trials} == {1}
    same = run(journal, max_trials=5, resume=True)
    assert list(map(summary, same.trials)) == list(map(summary, longer.trials))


def test_trials_cancelled_by_a_stop_are_run_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    arguments = {"scheduler": ab.NoStopping(max_resource=20), "max_trials": 6}
    handle = run(journal, objectives.slow_slope, launch=ab.start, **arguments)
    wait_until(lambda: handle.status()["trials"] > 3)
    handle.stop()
    stopped = handle.result()
    cancelled = [t.id for t in stopped.trials if t.state is TrialState.CANCELLED]
    assert cancelled
    result = run(journal, objectives.slow_slope, resume=True, **arguments)
    assert result.reason == "max_trials"
    assert result.counts[TrialState.COMPLETED] == 6
    assert all(result.trials[number].attempts == 2 for number in cancelled)


def test_time_between_two_launches_does_not_count(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = tmp_path / "journal"
    arguments = {"objective": objectives.slow_slope, "scheduler": ab.NoStopping()}
    first = run(journal, max_time=1.0, **arguments)
    time.sleep(1.5)
    second = run(journal, max_time=2.5, resume=True, **arguments)
    assert ("max_time", "max_time") == (first.reason, second.reason)
    assert 2.5 <= second.elapsed_s
    started = [t.start_time for t in second.trials if t.start_time is not None]
    assert all(time.time() - 60 < start < time.time() for start in started)
    assert "used up" not in caplog.text
    third = run(journal, max_time=1.0, resume=True, **arguments)  # it is over already
    assert third.reason == "max_time"
    assert "max_time=1 is used up: all launches of this run took " in caplog.text
    assert len(third.trials) == len(second.trials)


def test_failed_trials_are_run_again_on_request(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    first = run(journal, objectives.fails_once, max_trials=6)
    assert first.counts[TrialState.FAILED] == 3
    same = run(journal, objectives.fails_once, max_trials=6, resume=True)
    assert same.counts[TrialState.FAILED] == 3
    result = run(journal, objectives.fails_once, max_trials=6, resume=True, retry_failed=True)
    assert result.counts[TrialState.FAILED] == 0
    assert [trial.attempts for trial in result.trials] == [1, 2, 1, 2, 1, 2]
    assert all(trial.error is None for trial in result.trials)


def test_options_keep_their_types_when_a_run_is_resumed(tmp_path: Path) -> None:
    options = ([0, 1], (100, 10), {"k": [1, 2], "n": None}, None, objectives.square)
    space = {"x": ab.uniform(0, 1), "option": ab.choice(*options)}
    arguments = {"objective": objectives.takes_anything, "space": space}
    first = run(tmp_path / "journal", max_trials=20, **arguments)
    result = run(tmp_path / "journal", max_trials=40, resume=True, **arguments)
    for trial in (*first.trials, *result.trials):
        found = trial.params["option"]
        assert any((type(one), one) == (type(found), found) for one in options)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"space": {"x": ab.uniform(0, 2)}}, r"space\['x'\] was .*1\.0.* and is .*2\.0"),
        ({"space": {"x": ab.grid(0.5)}}, r"space\['x'\] was .*uniform.* and is .*grid"),
        ({"scheduler": ab.ASHA(max_resource=27)}, "scheduler.s max_resource was 9 and is 27"),
        ({"mode": "max"}, "mode was 'min' and is 'max'"),
        ({"objective": objectives.square}, "objective was 'slope' and is 'square'"),
        ({"seed": 8}, "seed was 7 and is 8"),
    ],
)
def test_another_run_is_refused_with_what_differs(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    run(journal, max_trials=2)
    before = journal.read_bytes()
    with pytest.raises(ab.InvalidArgument, match=f"belongs to another run: {words}"):
        run(journal, max_trials=3, resume=True, **changes)
    assert journal.read_bytes() == before


def test_a_journal_is_begun_once_and_is_the_users_alone(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    run(journal, max_trials=2, resume=True)  # there is none yet: it begins
    assert journal.stat().st_mode & 0o777 == 0o600
    before = journal.read_bytes()
    with pytest.raises(ab.InvalidArgument, match="holds a run; pass resume=True to continue it"):
        run(journal, max_trials=2)
    assert journal.read_bytes() == before


@pytest.mark.parametrize("part", ["metrics", "bus"])
def test_a_launch_that_could_not_begin_leaves_its_journal_free(part: str, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = {"metrics_port": port} if part == "metrics" else {"bus": ab.BusOptions(port=port)}
        with pytest.raises(ab.AshaBusError, match=str(port)):
            run(journal, max_trials=2, **given)
    assert 2 == len(run(journal, max_trials=2).trials)
    before = journal.read_bytes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = {"metrics_port": taken.getsockname()[1]}
        with pytest.raises(ab.AshaBusError):
            run(journal, max_trials=3, resume=True, **given)
    assert journal.read_bytes() == before


def test_a_journal_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_file, "_LOCK_TIMEOUT_S", 0.2)
    journal = tmp_path / "journal"
    handle = run(journal, objectives.slow_slope, max_time=600, launch=ab.start)
    try:
        with pytest.raises(ab.JournalError, match="in use by another run"):
            run(journal, objectives.slow_slope, max_time=600, resume=True)
        live = ab.Result.from_journal(journal)  # reading it is free
        assert live.reason == "unfinished"
    finally:
        handle.stop()
        handle.result()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("missing/journal", "No such file or directory; give a file in an existing folder"),
        (".", "Is a directory; give a file"),
        ("/sys/journal", "cannot be opened"),
    ],
)
def test_a_path_that_cannot_be_written_is_named(path: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ab.InvalidArgument, match=words):
        run(tmp_path / path, max_trials=2)


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n")
    with pytest.raises(ab.InvalidArgument, match="is not an asha-bus journal"):
        run(path, max_trials=2)
    with pytest.raises(ab.JournalError, match="is not an asha-bus journal"):
        run(path, max_trials=2, resume=True)
    assert path.read_text() == "my notes\n"


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    run(journal, max_trials=2)
    journal.write_bytes(MAGIC + framed(msgpack.packb({"format": FORMAT + 1, "version": "9.9"})))
    with pytest.raises(ab.JournalError, match="install asha-bus 9.9 or later"):
        run(journal, max_trials=3, resume=True)


def test_a_torn_tail_is_cut_off_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = tmp_path / "journal"
    first = run(journal, max_trials=4)
    with journal.open("ab") as file:
        file.write(b"\x50\x00\x00\x00torn")
    result = run(journal, max_trials=8, resume=True)
    assert list(map(summary, result.trials[:4])) == list(map(summary, first.trials))
    assert "cut off 8 bytes of an incomplete last record" in caplog.text


def test_damage_inside_is_refused_with_its_place(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    run(journal, max_trials=8)
    data = bytearray(journal.read_bytes())
    data[len(data) // 2] ^= 0xFF
    journal.write_bytes(data)
    with pytest.raises(ab.BusError, match=r"record \d+ at byte \d+ is damaged"):
        run(journal, max_trials=9, resume=True)
    assert not children_of(os.getpid(), "asha_bus.")


FULL = """
    import resource, sys
    import asha_bus as ab
    from support import objectives

    if __name__ == "__main__":
        resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))
        result = ab.launch(
            objectives.slow_slope, {"x": ab.uniform(0, 1)}, engine="local", workers=2, seed=7,
            max_trials=int(sys.argv[1]), monitor=None, journal=sys.argv[2] or None,
            scheduler=ab.ASHA(max_resource=9),
        )
        print(result.reason, result.message, len(result.trials))
"""


def run_full(folder: Path, max_trials: int, journal: Path | str) -> str:
    """What the program says whose files can grow to 6,000 bytes only."""
    program = folder / "program.py"
    program.write_text(textwrap.dedent(FULL))
    done = subprocess.run(
        [sys.executable, str(program), str(max_trials), str(journal)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_a_run_without_a_journal_of_its_own_goes_on_where_the_disk_is_full(tmp_path: Path) -> None:
    said = run_full(tmp_path, 60, "")
    assert "max_trials  60" in said
    assert "File too large. This run's journal is a temporary one: it goes on without" in said


def test_a_full_disk_ends_the_run_which_can_be_resumed(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    said = run_full(tmp_path, 200, journal)
    assert f"failed the journal {journal} cannot be written: File too large" in said
    before = ab.Result.from_journal(journal)
    result = run(journal, objectives.slow_slope, max_trials=len(before.trials) + 5, resume=True)
    assert result.reason == "max_trials"
    for trial in before.trials:
        assert result.trials[trial.id].rungs[: len(trial.rungs)] == trial.rungs


def test_the_report_of_a_journal_is_printed(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    result = run(journal, max_trials=5)
    command = [sys.executable, "-m", "asha_bus.cli", "report", str(journal)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert f"Result of {result.name}: 5 trials" in done.stdout
    assert "rung 0 at 1: 5 entered" in done.stdout
    done = subprocess.run(
        [*command[:-1], str(tmp_path / "none")], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "cannot be read: No such file or directory" in done.stderr
