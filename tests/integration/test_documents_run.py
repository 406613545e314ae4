"""What README.md and docs/monitoring.md show runs, on real Spark."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Any

import pytest

import asha_bus as ab

pytestmark = [pytest.mark.spark, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]

#: What a reader brings along: a model, what trains it, somebody to write to.
PRELUDE = """
import asha_bus as ab

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

def errors_by_epoch(params, fold, seed):
    return (params["lr"] + fold + 1 / epoch for epoch in range(1, 28))

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


def names_after(document: str, session: Any) -> dict[str, Any]:
    """Run all blocks of Python of ``document``, one after the other; what they define."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert text.count("```py") == len(blocks) > 1
    names: dict[str, Any] = {"__name__": "__main__", "spark": session}
    exec(PRELUDE, names)
    for block in blocks:
        # the port that Prometheus is used to may be taken here
        program = block.replace("9464", str(free_port()))
        exec(compile(program, document, "exec"), names)
    return names


@pytest.mark.slow
def test_the_first_page(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = names_after("README.md", spark)["result"]
    assert isinstance(result, ab.Result)
    assert ("max_trials", 200) == (result.reason, len(result.trials))
    assert {"run.journal", "run.html"} == set(os.listdir(tmp_path))
    printed = capsys.readouterr().out
    assert "rung 0 at resource 1" in printed  # one decision in words
    assert "spread" in printed  # means of repeats
    assert "page of" in printed


def test_the_monitor_of_ones_own(spark: Any) -> None:
    names = names_after("docs/monitoring.md", spark)
    assert issubclass(names["Alarm"], ab.Monitor)
    assert [] == names["sent"]
