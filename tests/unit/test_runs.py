"""Journals of a team: they are listed, compared, and resumed by the call that is printed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from lib.results import simulated
from support.plans import plan_for, square
from support.results import make_result, make_trial

import asha_bus as ab
from asha_bus import cli
from asha_bus.driver.journal import open_journal
from asha_bus.launching.arguments import LaunchArguments
from asha_bus.launching.plan import Plan, make_plan
from asha_bus.launching.resumption import resume_call

matplotlib = pytest.importorskip("matplotlib")
RUN = simulated(30)
GOLDEN = Path(__file__).parents[1] / "data" / "golden_journal.bin"


def begun(path: Path, **arguments: Any) -> Plan:
    """A journal of a run that has just begun."""
    plan = plan_for(**{"max_trials": 3, **arguments})
    os.close(open_journal(path, plan.header, resume=False, seed_given=False).fd)
    return plan


def test_runs_are_listed_with_their_best_and_state(tmp_path: Path) -> None:
    begun(tmp_path / "a.journal", name="mine")
    RUN.save(tmp_path / "b.result")
    (tmp_path / "notes.txt").write_text("no run")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    journal, saved = ab.runs(tmp_path)
    assert ("a.journal", "mine", "unfinished", 0, None, "") == (
        journal.path.name,
        journal.name,
        journal.state,
        journal.trials,
        journal.best,
        journal.problem,
    )
    assert (RUN.name, RUN.reason, 30) == (saved.name, saved.state, saved.trials)
    assert RUN.best is not None
    assert saved.best is not None
    assert RUN.best.metric == saved.best.metric
    text = repr(ab.runs(tmp_path))
    assert text.splitlines()[0].split()[:2] == ["file", "name"]
    assert f"{RUN.best.metric:.6g}" in text


def test_a_journal_is_listed_as_its_result_has_it(tmp_path: Path) -> None:
    path = tmp_path / "a.journal"
    path.write_bytes(GOLDEN.read_bytes())
    (one,) = ab.runs(tmp_path)
    result = ab.Result.from_journal(path)
    assert "" == one.problem
    assert (result.name, result.reason, len(result.trials)) == (one.name, one.state, one.trials)
    assert result.best is not None
    assert result.best == one.best


def test_headers_alone_tell_name_and_time(tmp_path: Path) -> None:
    plan = begun(tmp_path / "a.journal", name="mine")
    with open(tmp_path / "a.journal", "ab") as file:
        file.write(b"a record that cannot be replayed" * 2)
    (one,) = ab.runs(tmp_path, headers=True)
    assert ("mine", plan.settings.epoch, None, "") == (one.name, one.when, one.state, one.problem)


def test_what_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    begun(tmp_path / "whole.journal", name="mine")
    whole = (tmp_path / "whole.journal").read_bytes()
    (tmp_path / "cut.journal").write_bytes(whole[:30])
    (tmp_path / "damaged.result").write_bytes(b"asha-bus result\nxxxxxxxxxxxxxxxxxx")
    os.symlink(tmp_path / "nowhere", tmp_path / "gone.journal")
    found = {one.path.name: one for one in ab.runs(tmp_path)}
    assert {"whole.journal", "cut.journal", "damaged.result"} == set(found)
    assert "" == found["whole.journal"].problem
    assert "the header at byte 17 is damaged" == found["cut.journal"].problem
    assert "is damaged at byte 16" in found["damaged.result"].problem


def test_a_link_in_a_circle_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "circle.journal").symlink_to("circle.journal")
    assert () == ab.runs(tmp_path)


@pytest.mark.parametrize("read", [ab.Result.load, ab.Result.from_journal])
def test_another_file_is_refused_by_its_beginning(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "huge"
    with open(path, "wb") as file:
        file.truncate(1 << 42)  # more than any memory, and nothing on the disk
    with pytest.raises(ab.JournalError, match="is not a"):
        read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    begun(tmp_path / "theirs.journal")
    (tmp_path / "theirs.journal").chmod(0)
    (one,) = ab.runs(tmp_path)
    assert one.problem.endswith("Permission denied")


def test_a_file_that_cannot_be_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> bytes:
        raise ab.InvalidArgument("the journal cannot be read: Permission denied")

    begun(tmp_path / "theirs.journal")
    monkeypatch.setattr("asha_bus.results._runs.read_journal", refuse)
    (one,) = ab.runs(tmp_path)
    assert "the journal cannot be read: Permission denied" == one.problem
    assert "Permission denied" in repr(ab.runs(tmp_path))


def test_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ab.InvalidArgument, match="folder: .*none.*No such file or directory"):
        ab.runs(tmp_path / "none")
    with pytest.raises(ab.InvalidArgument, match="folder must be the path of a folder, got 7"):
        ab.runs(7)  # type: ignore[arg-type]
    assert 2 == cli.main(["runs", str(tmp_path / "none")])
    assert "pass the path of a folder" in capsys.readouterr().err


def test_the_command_lists_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == cli.main(["runs", str(tmp_path)])
    assert "no journal and no saved result\n" == capsys.readouterr().out
    begun(tmp_path / "a.journal", name="mine")
    assert 0 == cli.main(["runs", str(tmp_path), "--headers"])
    assert "mine" in capsys.readouterr().out


def test_runs_are_compared_in_a_table_a_page_and_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved, journal = str(tmp_path / "run.result"), str(tmp_path / "run.journal")
    RUN.save(saved)
    begun(Path(journal), name="mine")
    page, picture = tmp_path / "both.html", tmp_path / "both.png"
    given = ["compare", saved, journal, "--html", str(page), "--png", str(picture)]
    assert 0 == cli.main(given)
    said = capsys.readouterr().out
    assert RUN.best is not None
    rows = {line[:18].strip(): line for line in said.splitlines()}
    assert f"{RUN.best.metric:.6g} (trial {RUN.best.id}" in rows["best metric"]
    assert rows["best metric"].endswith("none")
    assert "best lr" in rows
    html = page.read_text(encoding="utf-8")
    assert "<svg" in html
    assert "<th>mine</th>" in html
    assert "<script" not in html
    assert b"\x89PNG" == picture.read_bytes()[:4]


def test_runs_of_one_name_are_labelled_by_their_files(tmp_path: Path) -> None:
    from asha_bus.results._compare import Comparison

    text = str(Comparison([("a.result", RUN), ("b.result", RUN)]))
    assert text.splitlines()[0].split() == ["a.result", "b.result"]


def test_runs_of_two_modes_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(tmp_path / mode) for mode in ("min", "max")]
    for path in paths:
        make_result(make_trial(0), mode=path[-3:]).save(path)
    assert 2 == cli.main(["compare", *paths])
    assert "runs can be compared if their mode is the same" in capsys.readouterr().err


def test_a_picture_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(RUN.save(tmp_path / "run.result"))
    assert 2 == cli.main(["compare", path, "--png", str(tmp_path / "no" / "a.png")])
    assert "cannot be written: No such file or directory" in capsys.readouterr().err


SCHEDULERS = [
    ab.ASHA(81, brackets=2),
    ab.SuccessiveHalving([(4, 5), (2, 2)]),
    ab.Hyperband.classic(9),
    ab.PromotionASHA(9),
    ab.MedianStopping(9),
    ab.NoStopping(),
]


def train(x: float) -> Any:
    yield x


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda one: type(one).__name__)
def test_the_printed_call_resumes_the_run(
    scheduler: ab.Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, space = tmp_path / "it's.journal", {"x": ab.uniform(0, 1)}
    given: dict[str, Any] = {
        "scheduler": scheduler,
        "searcher": ab.TPE(n_startup=5),
        "mode": "max",
        "stop_at": 0.75,
        "max_time": 60.0,
        "trial_timeout": 5.0,
        "max_failures": 4,
        "unique": True,
        "curves": False,
        "bus": ab.BusOptions(lease_s=20.0, max_attempts=2),
        "artifacts": tmp_path,
    }
    if isinstance(scheduler, ab.SuccessiveHalving):
        given.update(max_trials=12)
    elif not isinstance(scheduler, ab.Hyperband):
        given.update(max_trials=30, repeats=2, max_total_resource=900.0)
    plan = make_plan(LaunchArguments(train, space, **given))
    plan = plan.with_options(plan.given.bus or ab.BusOptions(), 2)
    os.close(open_journal(path, plan.header, resume=False, seed_given=False).fd)

    monkeypatch.setattr(ab, "launch", LaunchArguments)
    names: dict[str, Any] = {"ab": ab, "objective": train, "space": space}
    exec(resume_call(path), names)
    again: LaunchArguments = names["result"]
    assert again.resume
    assert str(path) == again.journal
    resumed = make_plan(again).with_options(again.bus or ab.BusOptions(), again.workers)
    opened = open_journal(path, resumed.header, resume=True, seed_given=False)
    os.close(opened.fd)
    assert opened.is_resumed
    same = resumed.resumed(opened.header).settings.to_plain()
    differing = {
        name for name, value in plan.settings.to_plain().items() if repr(value) != repr(same[name])
    }
    assert differing <= {"epoch"}


def test_a_call_says_what_no_journal_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run.journal"
    begun(path, initial=[{"x": 0.5}], stop_run=bool, searcher=Mine())
    assert 0 == cli.main(["resume", str(path)])
    said = capsys.readouterr().out
    assert f"objective,  # {square.__name__}" in said
    assert "initial=initial,  # the configurations that were tried first" in said
    assert "searcher=searcher,  # Mine() import os\n" in said
    assert "add what no journal holds if you gave it: data=" in said
    assert "# the run had functions that hear of its trials" in said


class Mine:
    """A searcher, whose repr has two lines."""

    def suggest(self, branch: Any, history: Any) -> dict[str, Any]:
        return {}

    def __repr__(self) -> str:
        return "Mine()\nimport os"


def test_what_a_stranger_wrote_is_never_code_outside_a_comment(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    evil = "TPE()) or exec('raise SystemExit'"
    plan = plan_for(max_trials=3, searcher=ab.TPE())
    settings = plan.header.settings
    header = plan.header._replace(
        settings=type(settings).from_plain({**settings.to_plain(), "searcher": evil}),
        name="run\nimport os",
    )
    os.close(open_journal(path, header, resume=False, seed_given=False).fd)
    said = resume_call(path)
    for line in said.splitlines():
        assert evil not in line.partition("#")[0]
        assert not line.startswith("import")
