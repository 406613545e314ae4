"""The report is written to the given path, or an error names the reason."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from lib.results import simulated
from support.plans import plan_for

from asha_bus import InvalidArgument, cli
from asha_bus.driver.journal import open_journal
from asha_bus.page.document import FORMAT, TRIAL_FIELDS
from asha_bus.page.html import page_html

RUN = simulated(60)
STATIC = Path(__file__).resolve().parents[2] / "asha_bus" / "page" / "static"


def held(path: Path) -> Any:
    """The run in a report."""
    page = path.read_text(encoding="utf-8")
    return json.loads(page.partition('id="run-data">')[2].partition("</script>")[0])


def test_a_report_holds_the_run(tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    assert path == RUN.report(path) == RUN.report(str(path))
    run = held(path)
    assert ("digits", 60, 60) == (run["name"], len(run["trials"]), len(run["explain"]))
    assert run["importance"]["rows"][0][0] == "lr"


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("no/such/folder/run.html", "No such file or directory"),
        ("", "Is a directory"),
        ("run\0.html", "null"),
    ],
)
def test_a_path_that_cannot_be_written(place: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match=f"path: the report cannot be written to .*{why}"):
        RUN.report(f"{tmp_path}/{place}")


def test_a_path_is_a_path() -> None:
    with pytest.raises(InvalidArgument, match="path must be the path of the file to write"):
        RUN.report(None)  # type: ignore[arg-type]


def test_the_command_writes_the_report_of_a_journal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_for(max_trials=3, name="mine")
    journal, page = tmp_path / "run.journal", tmp_path / "run.html"
    os.close(open_journal(journal, plan.header, resume=False, seed_given=False).fd)
    assert 0 == cli.main(["report", str(journal), "--html", str(page)])
    assert f"written: {page}" in capsys.readouterr().out
    run = held(page)
    assert ("mine", "unfinished") == (run["name"], run["summary"]["reason"])
    assert 2 == cli.main(["report", str(journal), "--html", str(tmp_path)])
    assert "asha-bus: path: the report cannot be written" in capsys.readouterr().err


def test_the_page_reads_what_is_written() -> None:
    data = (STATIC / "data.js").read_text(encoding="utf-8")
    assert f"const FORMAT = {FORMAT};" in data
    scripts = "".join(path.read_text(encoding="utf-8") for path in STATIC.glob("*.js"))
    for field in TRIAL_FIELDS:
        assert f".{field}" in scripts, f"no script reads {field} of a trial"


def test_every_script_is_in_the_page() -> None:
    page = page_html("x", None)
    for path in STATIC.glob("*.js"):
        assert path.read_text(encoding="utf-8") in page
    assert not re.search(r"\{\{\w+\}\}", page)
