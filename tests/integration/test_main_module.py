"""Classes of a script, which no worker can import: they travel wherever a run takes objects."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.clusters import require_java

PROGRAM = """
    import functools
    import sys
    from pathlib import Path

    import asha_bus as ab

    sys.path.insert(1, Path("somewhere"))  # which Python skips


    class Dataset:
        def __init__(self, rows):
            self.rows = rows


    class Width:
        def __init__(self, width):
            self.width = width


    class Objective:
        def __init__(self, width):
            self.width = width

        def __call__(self, x, width, made, ds, scale):
            assert type(ds) is Dataset and type(width) is Width and type(made) is Width
            assert made is not width
            return scale(x + self.width.width + width.width + made.width + ds.rows)


    class Draws:
        def suggest(self, branch, history):
            return {"x": WIDTH.width / 10}


    class Stops:
        def __call__(self, history):
            return WIDTH.width < 0


    class Ends:
        def __call__(self, summary):
            return WIDTH.width < 0


    class Watches(ab.Monitor):
        ended = 0

        def on_finish(self, result):
            Watches.ended += 1


    WIDTH = Width(5)

    if __name__ == "__main__":
        objective = functools.partial(Objective(Width(1)), scale=lambda value: 2 * value)
        space = {"x": ab.uniform(0, 1), "width": ab.grid(Width(10)), "made": ab.func(Width, 100)}
        data = {"ds": Dataset(1000)}
        if sys.argv[1] == "dry_run":
            found = ab.dry_run(objective, space, data=data, quiet=True)
            [trial] = found.trials
            print("metric:", round(trial.steps[0].metric - 2 * trial.params["x"]), found.problems)
        else:
            result = ab.launch(
                objective, space, data=data, searcher=Draws(), max_trials=2,
                stop_trial=Stops(),
                stop_run=Ends(), monitor=Watches(), engine=sys.argv[1], workers=1,
            )
            assert 1 == Watches.ended
            print("metric:", round(result.best.metric - 2 * result.best.params["x"]), ())
"""

NESTED = """
    import sys

    import asha_bus as ab
    from asha_bus import fmin, launch

    FUNCTIONS = {
        "launch": lambda: launch(lambda y: y, {"y": ab.grid(1)}, engine="local"),
        "start": lambda: ab.start(lambda y: y, {"y": ab.grid(1)}, engine="local"),
        "dry_run": lambda: ab.dry_run(lambda y: y, {"y": ab.grid(1)}),
        "fmin": lambda: fmin(lambda y: y, {"y": ab.grid(1)}, algo=None, max_evals=1),
    }


    def objective(x):
        said = []
        for name, call in FUNCTIONS.items():
            try:
                call()
            except ab.InvalidArgument as error:
                said.append(f"{name}() was called inside a running objective" in str(error))
        return x, {"said": repr(said)}


    if __name__ == "__main__":
        result = ab.launch(
            objective, {"x": ab.uniform(0, 1)}, engine=sys.argv[1], workers=1, max_trials=2,
            monitor=None,
        )
        print([trial.extras["said"] for trial in result.trials])
"""


def said_by(program: str, engine: str, folder: Path) -> str:
    """What ``program`` prints on standard output as a script of its own."""
    environment = dict(os.environ)
    if engine == "spark":
        require_java()
        environment["PYSPARK_SUBMIT_ARGS"] = "--master local[1] pyspark-shell"
    script = folder / "program.py"
    script.write_text(textwrap.dedent(program))
    done = subprocess.run(
        [sys.executable, str(script), engine],
        capture_output=True,
        text=True,
        timeout=150,
        env=environment,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip()


ENGINES = ["local", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("engine", ["dry_run", *ENGINES])
def test_the_objects_of_a_script_travel(engine: str, tmp_path: Path) -> None:
    assert "metric: 2222 ()" == said_by(PROGRAM, engine, tmp_path)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("engine", ENGINES)
def test_no_run_within_a_run(engine: str, tmp_path: Path) -> None:
    assert str(["[True, True, True, True]"] * 2) == said_by(NESTED, engine, tmp_path)
