"""A scheduler of a third party: its run, its journal, and what cannot reach the bus."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from support import objectives
from support.schedulers import Threshold

import asha_bus as ab
from asha_bus.core.trial import TrialState

SETTINGS: dict[str, Any] = {
    "engine": "local",
    "workers": 1,
    "monitor": None,
    "seed": 7,
    "scheduler": Threshold(1.7),
}


def test_a_run_with_it_is_resumed(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    for total, resume in ((4, False), (8, True)):
        result = ab.launch(
            objectives.slope,
            {"x": ab.uniform(0, 1)},
            journal=journal,
            max_trials=total,
            resume=resume,
            **SETTINGS,
        )
        assert total == len(result.trials)
    assert {TrialState.STOPPED, TrialState.COMPLETED} == {one.state for one in result.trials}
    read = ab.Result.from_journal(journal, schedulers=[Threshold])
    assert result.trials == read.trials
    for trial in result.trials:
        verdict = ", within the limit 1.7: goes on"
        if trial.state is TrialState.STOPPED:
            verdict = ", above the limit 1.7: stopped"
        assert verdict in read.explain(trial.id)
        assert result.explain(trial.id) == read.explain(trial.id)
    with pytest.raises(ab.JournalError, match=r"give its class in schedulers="):
        ab.Result.from_journal(journal)
    with pytest.raises(ab.JournalError, match="resume the run with the scheduler that it was"):
        ab.launch(
            objectives.slope,
            {"x": ab.uniform(0, 1)},
            journal=journal,
            max_trials=9,
            resume=True,
            **{**SETTINGS, "scheduler": ab.ASHA(9)},
        )


PROGRAM = """
    import asha_bus as ab
    from support import objectives
    from support.schedulers import Threshold

    class Mine(Threshold):
        pass

    if __name__ == "__main__":
        ab.launch(
            objectives.slope, {"x": ab.uniform(0, 1)}, engine="local", max_trials=1,
            scheduler=Mine(0.5), journal="journal",
        )
"""


def test_a_scheduler_defined_in_the_main_program_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "InvalidArgument: the class of scheduler=Mine(limit=0.5) is __main__.Mine" in done.stderr
    assert ["program.py"] == [path.name for path in tmp_path.iterdir()]
