"""The programs in README.md and docs/ run as they stand."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import asha_bus as ab

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))

#: What a reader of docs/ brings along: a model, what trains it, somebody to write to.
PRELUDE = """
import asha_bus as ab

def timed(function):
    return lambda *args, **kwargs: function(*args, **kwargs)

class compiled:
    def train(x):
        yield x

class Model:
    def __init__(self, lr):
        self.loss = 1 + lr
    def close(self):
        pass

def build(lr, units, act):
    return Model(lr)

def fit_one_epoch(model):
    model.loss *= 0.9
    return model.loss

sent = []
send_mail = sent.append

space = ab.Space(lr=ab.loguniform(1e-4, 1e-1), units=ab.randint(8, 32), act=ab.choice("a", "b"))

def train(lr, units, act):
    for epoch in range(3):
        yield lr + 1 / (1 + epoch)
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def blocks_of(document: str) -> list[str]:
    """The blocks of Python of ``document``."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert text.count("```python") == len(blocks) > 0
    return blocks


def names_after(document: str, prelude: str, **names: Any) -> dict[str, Any]:
    """Run all blocks of Python of ``document``, one after the other; what they define."""
    names["__name__"] = "__main__"
    exec(prelude, names)
    for block in blocks_of(document):
        program = block
        if "spark" in names:
            program = program.replace('engine="local"', "spark=spark")
        # the port that Prometheus is used to may be taken here
        program = program.replace("9464", str(free_port()))
        exec(compile(program, document, "exec"), names)
    return names


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", pytest.param("spark", marks=pytest.mark.spark)])
def test_getting_started_runs(
    engine: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    session = {"spark": request.getfixturevalue("spark")} if engine == "spark" else {}
    result = names_after("docs/getting-started.md", "", **session)["result"]
    assert isinstance(result, ab.Result)
    assert ("max_trials", 300) == (result.reason, len(result.trials))
    assert {"run.journal", "run.html"} == set(os.listdir(tmp_path))
    printed = capsys.readouterr().out
    assert "rung 0 at resource 1" in printed  # one decision in words
    assert "page of" in printed


def test_the_document_of_runs_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names_after("docs/runs.md", "")
    assert "spread" in capsys.readouterr().out  # means of repeats


@pytest.mark.parametrize("document", ["docs/from-ray.md", "docs/from-fugue-tune.md"])
def test_a_moved_program_runs(document: str) -> None:
    result = names_after(document, "")["result"]
    assert {ab.TrialState.COMPLETED, ab.TrialState.STOPPED} == {t.state for t in result.trials}


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(notebook: Path, tmp_path: Path) -> None:
    cells = nbformat.read(notebook, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(cells, timeout=60, resources=resources).execute()


def test_the_first_program_runs_from_an_empty_folder(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    program = tmp_path / "first.py"
    program.write_text(blocks_of("README.md")[0], encoding="utf-8")
    printed = printed_by([sys.executable, str(program)], folder)
    assert "{'lr': " in printed
    assert "rung 0 at resource 1" in printed
    assert [] == os.listdir(folder)


def test_the_first_program_runs_when_pasted_into_a_prompt(tmp_path: Path) -> None:
    program = blocks_of("README.md")[0]
    printed = printed_by([sys.executable, "-q", "-i"], tmp_path, program)
    assert "rung 0 at resource 1" in printed


def printed_by(command: list[str], folder: Path, typed: str | None = None) -> str:
    """What ``command`` prints where it succeeds, its errors and warnings among it."""
    done = subprocess.run(
        command,
        cwd=folder,
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


def test_the_first_program_runs_in_a_cell(tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell(blocks_of("README.md")[0])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=60, resources=resources).execute()
    printed = "".join(output.get("text", "") for output in notebook.cells[0].outputs)
    assert "rung 0 at resource 1" in printed


@pytest.mark.parametrize("name", ["train", "train_by_hand"])
def test_the_objectives_document_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = names_after("docs/objectives.md", PRELUDE)
    result = ab.launch(
        names[name],
        names["space"],
        scheduler=ab.ASHA(max_resource=9),
        max_trials=4,
        engine="local",
        monitor=None,
    )
    assert {ab.TrialState.COMPLETED, ab.TrialState.STOPPED} >= {t.state for t in result.trials}
    assert (name == "train_by_hand") == ("epoch 0 is done" in result.trials[0].log)


def test_the_run_of_the_monitoring_document_can_be_followed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(PRELUDE + blocks_of("docs/monitoring.md")[0], names)
    assert names["run"].done
    printed = capsys.readouterr().out
    assert re.search(r"<Run run-\w+: \d+ of 20 trials, running>", printed)
    assert "max_trials {'lr': " in printed
    text = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    section = text.partition("## Follow a run")[2].partition("\n## ")[0]
    assert list(names["run"].status()) == re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


@pytest.mark.spark
def test_the_monitoring_document_runs_on_spark(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = names_after("docs/monitoring.md", PRELUDE, spark=spark)
    assert issubclass(names["Alarm"], ab.Monitor)
    assert [] == names["sent"]


def test_the_simulator_document_runs() -> None:
    names = names_after("docs/simulator.md", "")
    assert "max_trials" == names["run"].result.reason
    assert names["story"].is_over
