"""What objectives log and print, in real workers: where it comes out, and how much of it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from support import objectives

import asha_bus as ab
from asha_bus.core.log import MAX_LOG_CHARS
from asha_bus.core.trial import TrialState

SPACE = {"x": ab.uniform(0, 1)}


def run(objective: Any, space: Any = SPACE, **arguments: Any) -> Any:
    """Launch on two local workers, quietly."""
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7}
    return ab.launch(objective, space, **{**settings, **arguments})


def test_logs_are_kept_with_their_trials_and_prints_only_if_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = run(objectives.talks, max_trials=6)
    for trial in result.trials:
        assert trial.log == f"logged {trial.id}\n"
    printed = sorted(line for line in capsys.readouterr().out.splitlines() if "printed" in line)
    numbers = [trial.id for trial in result.trials]
    assert printed == sorted(
        f"trial {n}: printed {n}{where}" for n in numbers for where in ("", " to stderr")
    )


def test_captured_prints_are_kept_and_printed_as_others(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="asha_bus.talks"):
        result = run(objectives.talks, max_trials=6, name="talks", capture_output=True)
    for trial in result.trials:
        number = trial.id
        expected = f"printed {number}\nlogged {number}\nprinted {number} to stderr\n"
        assert expected == trial.log
    assert 12 == capsys.readouterr().out.count("printed")
    said = [record.getMessage() for record in caplog.records if record.name == "asha_bus.talks"]
    assert 6 == len([line for line in said if "logged" in line])
    assert not [line for line in said if "printed" in line]


def test_output_of_a_dying_worker_is_kept() -> None:
    result = run(objectives.dies_talking, max_trials=4, capture_output=True)
    assert TrialState.COMPLETED is result.trials[1].state
    assert "last words\n--- attempt 2 ---\nlast words\nnot yet\n" == result.trials[1].log


def test_more_trials_than_one_answer_of_the_bus_holds() -> None:
    result = run(objectives.talks, max_trials=120)
    assert [f"logged {number}\n" for number in range(120)] == [t.log for t in result.trials]


PROGRAM = """
    import re
    import sys
    from pathlib import Path

    import asha_bus as ab
    from support import objectives

    def peak(pid):
        try:
            found = re.search(r"VmHWM:\\s+(\\d+) kB", Path(f"/proc/{pid}/status").read_text())
        except (FileNotFoundError, ProcessLookupError):
            found = None
        return int(found[1]) if found else 0  # 0: it has ended

    if __name__ == "__main__":
        before = peak("self")
        run = ab.start(
            objectives.OBJECTIVE, {"x": ab.uniform(0, 1)}, engine="local", workers=2,
            max_trials=2, monitor=None, capture_output=CAPTURE,
        )
        at_first = grown = peak(run.bus_pid)
        while True:
            try:
                grown = max(grown, peak(run.bus_pid))
                result = run.result(timeout=0.2)
                break
            except TimeoutError:
                pass
        trials = [(str(t.state), len(t.log), t.metric) for t in result.trials]
        grown -= at_first
        print((trials, (peak("self") - before) >> 10, grown >> 10), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("objective", "capture"),
    [
        ("prints_without_end", False),
        ("prints_without_end", True),
        ("logs_without_end", False),
    ],
)
def test_endless_output_neither_fills_memory_nor_blocks_the_run(
    tmp_path: Path, objective: str, capture: bool
) -> None:
    program = tmp_path / "program.py"
    text = PROGRAM.replace("OBJECTIVE", objective).replace("CAPTURE", str(capture))
    program.write_text(textwrap.dedent(text))
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [sys.executable, str(program)],
            stdout=out,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
            text=True,
            timeout=100,
            check=True,
        )
    trials, grown_mb, grown_bus_mb = eval(done.stderr)
    for state, log_chars, said in trials:
        assert state == "COMPLETED"
        assert said > 100_000  # characters, at least
        is_kept = capture or objective == "logs_without_end"
        assert (log_chars > MAX_LOG_CHARS / 2) is is_kept
        assert log_chars < MAX_LOG_CHARS + 100
    assert grown_mb < 60
    assert grown_bus_mb < 60
