"""What trials attach: what is taken, what stays, and that nothing else is ever removed."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.results import make_result, make_trial

import asha_bus as ab
from asha_bus.executor.keeping import Keeper
from asha_bus.launching.artifacts import tidy
from asha_bus.launching.job import Keeping
from asha_bus.objective.kept import Entry, excess, split_attached
from asha_bus.objective.kept_remote import RemoteStore
from asha_bus.objective.stores import store_at

#: A folder as it is, and as fsspec sees it.
PREFIXES = pytest.mark.parametrize("prefix", ["", "file://"])


def keeper(folder: Path | str, most: int = 1, max_bytes: int = 100) -> Keeper:
    return Keeper(Keeping(str(folder), most, max_bytes))


def complete(kept: Keeper, trial: int, metric: float, mode: str = "min", attempt: int = 1) -> None:
    written = kept.write(trial, attempt, metric, mode, {"model": str(trial).encode()})
    if written is not None:
        written.keep()


def entries_in(place: Path | str) -> list[Entry]:
    return store_at(str(place)).entries()


def trials_in(place: Path | str) -> list[int]:
    return sorted(entry.trial for entry in entries_in(place))


@PREFIXES
@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("most", [1, 3])
def test_the_best_stay_whatever_the_order(
    mode: str, most: int, tmp_path: Path, prefix: str
) -> None:
    metrics = [0.5, 0.25, 1e-7, 0.25, -3.0, math.nan, 2.0, math.inf, -math.inf, 0.0]
    folder, numbers = f"{prefix}{tmp_path}/kept", list(range(len(metrics)))
    Random(most).shuffle(numbers)
    for number in numbers:
        complete(keeper(folder, most), number, metrics[number], mode)
    sign = 1 if mode == "min" else -1
    finite = [n for n in range(len(metrics)) if math.isfinite(metrics[n])]
    assert sorted(sorted(finite, key=lambda n: (sign * metrics[n], n))[:most]) == trials_in(folder)
    for entry in entries_in(folder):
        assert str(entry.trial) == store_at(folder).fetch(entry, "model").read_text()
        assert metrics[entry.trial] == entry.metric


@PREFIXES
def test_what_is_worse_is_not_even_written(tmp_path: Path, prefix: str) -> None:
    place = f"{prefix}{tmp_path}/kept"
    complete(keeper(place), 0, 0.5)
    assert keeper(place).write(1, 1, 0.75, "min", {"model": b""}) is None
    assert {"trial-0-1-0.5", "files-trial-0-1-0.5"} >= set(os.listdir(tmp_path / "kept"))


@PREFIXES
def test_a_later_attempt_takes_the_place_of_an_earlier_one(tmp_path: Path, prefix: str) -> None:
    place = f"{prefix}{tmp_path}/kept"
    complete(keeper(place), 0, 0.5, attempt=1)
    complete(keeper(place), 0, 0.75, attempt=2)
    assert [Entry(0, 2, 0.75)] == entries_in(place)


@PREFIXES
def test_nothing_is_seen_before_it_is_kept_and_nothing_stays_if_it_is_dropped(
    tmp_path: Path, prefix: str
) -> None:
    place = f"{prefix}{tmp_path}/kept"
    for end in ("drop", "keep"):
        written = keeper(place).write(0, 1, 0.5, "min", {"model": b"x"})
        assert written is not None
        assert [] == trials_in(place)
        getattr(written, end)()
        assert ([0] if end == "keep" else []) == trials_in(place)
        there = os.listdir(tmp_path / "kept")
        assert end == "keep" or [] == there
    names = ["trial-0-1-0.5"] if not prefix else ["files-trial-0-1-0.5", "trial-0-1-0.5"]
    assert names == sorted(there)


def test_an_attempt_that_is_written_again_by_another_launch_has_its_own_files(
    tmp_path: Path,
) -> None:
    place = f"file://{tmp_path}/kept"
    keeper(place).write(0, 1, 0.5, "min", {"model": b"old", "more": b""})
    complete(keeper(place), 0, 0.5)
    complete(keeper(place), 0, 0.25)  # after a resume from a journal that has lost its end
    (entry,) = entries_in(place)
    assert ["model"] == store_at(place).names(entry)
    assert b"0" == store_at(place).fetch(entry, "model").read_bytes()


def test_a_disk_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path, data: bytes) -> int:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        keeper(tmp_path).write(0, 1, 0.5, "min", {"model": b"x"})
    assert [] == os.listdir(tmp_path)


def test_a_store_that_fails_leaves_nothing_behind_and_raises_what_a_disk_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fsspec.implementations.local import LocalFileSystem

    class Denied(Exception):
        pass

    def fail(self: Any, path: str, *args: Any, **named: Any) -> None:
        raise Denied("no rights")

    store = keeper(f"file://{tmp_path}/kept")
    monkeypatch.setattr(LocalFileSystem, "pipe_file", fail)
    with pytest.raises(OSError, match="Denied: no rights"):
        store.write(0, 1, 0.5, "min", {"model": b"x"})
    assert [] == os.listdir(tmp_path / "kept")


def test_a_store_without_folders_keeps_the_best() -> None:
    place = "memory://bucket-of-a-test/kept"
    for trial, metric in enumerate([0.5, 0.25, 0.75]):
        complete(keeper(place), trial, metric)
    assert [Entry(1, 1, 0.25)] == entries_in(place)
    assert b"1" == store_at(place).fetch(Entry(1, 1, 0.25), "model").read_bytes()
    tidy(place, [])
    assert [] == entries_in(place)


def test_bytes_and_files_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    kept = keeper(tmp_path / "kept")
    for value in (b"abc", bytearray(b"abc"), memoryview(b"abc"), file, str(file)):
        assert b"abc" == kept.take("model.bin", value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("model", b"x" * 101, r"it has 101 bytes, and the limit is 100; .*max_artifact_bytes"),
        ("model", object(), "takes bytes or the path of a file, got .* of type object; serialize"),
        ("model", 7, "takes bytes or the path of a file, got 7 of type int"),
        ("model", "no such file", "'no such file' cannot be read: No such file or directory"),
        ("model", "/", "cannot be read: Is a directory"),
        ("model", "a\0b", "cannot be read: embedded null byte"),
        ("../model", b"", "the name of an artifact must be letters"),
        (".model", b"", "the name of an artifact must be letters"),
        ("a/b", b"", "the name of an artifact must be letters"),
        ("", b"", "the name of an artifact must be letters"),
        (7, b"", "the name of an artifact must be letters"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(
    name: Any, value: Any, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ab.ObjectiveError, match=said):
        keeper(tmp_path).take(name, value)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    with open(file, "wb") as sparse:
        sparse.truncate(1 << 40)
    with pytest.raises(ab.ObjectiveError, match="it has 1,099,511,627,776 bytes"):
        keeper(tmp_path).take("model", file)


def test_a_folder_that_is_gone_or_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ab.ObjectiveError, match="the folder '.*/none' does not exist on"):
        keeper(tmp_path / "none" / "kept").take("model", b"x")
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)  # root may do all
    with pytest.raises(ab.ObjectiveError, match="the folder .* cannot be written to on"):
        keeper(tmp_path / "kept").take("model", b"x")


@pytest.mark.parametrize("folder", ["kept", ".", "../x"])
def test_a_relative_folder_is_never_used(folder: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="must be an absolute path"):
        keeper(folder)
    tidy(folder, ())
    assert "must be an absolute path" in caplog.text


@pytest.mark.parametrize(
    "name", ["trial-1-1-nan", "trial-1-1-x", "trial-1-1", "trial-01-1-0.5", "trial-1-1-0.50", "me"]
)
def test_other_names_are_not_entries_and_stay(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    assert [] == entries_in(tmp_path)
    complete(keeper(tmp_path), 2, 0.5)
    tidy(str(tmp_path), ())
    assert [name] == os.listdir(tmp_path)


@PREFIXES
def test_what_no_completed_trial_attached_is_removed_at_the_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, prefix: str
) -> None:
    folder, place = tmp_path / "kept", f"{prefix}{tmp_path}/kept"
    trials = [make_trial(0), make_trial(1, ab.TrialState.LOST), make_trial(2, attempts=2)]
    for number in range(4):
        complete(keeper(place, most=9), number, 0.5)
    unfinished = folder / ("files-trial-7-1-0.5" if prefix else ".trial-7-1")
    unfinished.mkdir()
    tidy("", trials)
    tidy(place, None)
    assert [0, 1, 2, 3] == trials_in(place)
    assert not unfinished.exists()
    tidy(place, trials)
    assert [0] == trials_in(place)
    tidy(place, [])
    assert not folder.exists()
    tidy(place, [])
    assert "" == caplog.text


def test_a_place_that_cannot_be_tidied_up_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    tidy(str(tmp_path / "file"), [])
    tidy("nowhere://x/kept", [])
    assert 2 == caplog.text.count("could not be tidied up")


def test_ranks_do_not_depend_on_what_other_workers_have_seen() -> None:
    """To remove what one worker sees in excess never removes what is best in all."""
    draw = Random(1)
    for _ in range(200):
        entries = [Entry(n, 1, draw.choice([0.0, 0.5, 1.0])) for n in range(8)]
        best = set(entries) - set(excess(entries, "min", 2))
        seen = draw.sample(entries, 5)
        assert not best & set(excess(seen, "min", 2))


@pytest.mark.parametrize(
    ("value", "rest", "attached"),
    [
        (0.5, 0.5, {}),
        ((0.5, {"a": 1}), (0.5, {"a": 1}), {}),
        ((0.5, {"attach": 1}), (0.5, {"attach": 1}), {}),
        ((0.5, {"attach": {"m": b""}, "a": 1}), (0.5, {"a": 1}), {"m": b""}),
    ],
)
def test_what_is_attached_is_no_extra(value: Any, rest: Any, attached: Any) -> None:
    assert (rest, attached) == split_attached(value)


def test_an_artifact_that_is_not_there_is_explained(tmp_path: Path) -> None:
    trial = make_trial(0)
    with pytest.raises(ab.InvalidArgument, match="this run kept nothing; pass launch.artifacts="):
        trial.artifact("model")
    trial = make_trial(0, kept_in=str(tmp_path))
    with pytest.raises(ab.InvalidArgument, match="nothing is kept of trial 0 in .*keep_artifacts"):
        trial.artifact("model")
    for place in (str(tmp_path), f"file://{tmp_path}/kept"):
        trial = make_trial(0, kept_in=place)
        complete(keeper(place), 0, 0.5)
        assert b"0" == trial.artifact("model").read_bytes()
        for name in ("other", "../../x", "."):
            with pytest.raises(ab.InvalidArgument, match="it attached model"):
                trial.artifact(name)


def test_without_fsspec_an_address_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ImportError, match=r"pip install 'asha-bus\[fsspec\]'"):
        RemoteStore("s3://bucket/folder")


def test_a_dry_run_checks_what_is_attached_and_writes_nothing() -> None:
    def train(trial: ab.Trial) -> None:
        trial.attach("model", b"x")
        trial.report(0.5)
        trial.attach("model", 7)  # type: ignore[arg-type]

    (trial,) = ab.dry_run(train, {"x": ab.uniform(0, 1)}, quiet=True).trials
    assert "takes bytes or the path of a file, got 7" in (trial.error or "")


# --- refit


def steps(x: float, most: int = 5) -> Any:
    for step in range(most):
        yield x + step


def by_hand(trial: ab.Trial, scale: float = 1.0) -> Any:
    seen = []
    for step in trial:
        trial.attach("model", b"")
        trial.log("a line")
        seen.append((step, trial.seed))
        trial.report(scale, step)
    return seen


def refitted(objective: Any, data: Any = None, **overrides: Any) -> Any:
    from asha_bus.results.refit import Recipe

    best = make_trial(1, seed=42, resource=3)
    return make_result(best, recipe=Recipe(objective, data or {})).refit(**overrides)


def test_the_best_configuration_is_trained_again() -> None:
    assert 0.1 == refitted(lambda x: x)
    assert 2.5 == refitted(lambda x: x, x=2.5)
    assert 0.1 + 2 == refitted(steps)
    assert 0.1 + 1 == refitted(steps, most=2)
    assert [(0, 42), (1, 42), (2, 42)] == refitted(by_hand)
    assert [1, 2] == refitted(lambda x, rows: rows, {"rows": [1, 2]})


def test_the_generator_is_closed() -> None:
    closed = []

    def endless(x: float) -> Any:
        try:
            while True:
                yield x
        finally:
            closed.append(x)

    assert 0.1 == refitted(endless)
    assert [0.1] == closed


def test_what_cannot_be_refitted_is_refused_in_words(tmp_path: Path) -> None:
    result = make_result(make_trial(0))
    saved = ab.Result.load(result.save(tmp_path / "run.result"))
    for one in (result, saved):
        with pytest.raises(ab.InvalidArgument, match="refit.. needs the objective, which neither"):
            one.refit()
    from asha_bus.results.refit import Recipe

    with pytest.raises(ab.InvalidArgument, match="refit.. needs a best trial, but there is none: "):
        make_result(recipe=Recipe(steps, {})).refit()
    with pytest.raises(ab.InvalidArgument, match=r"refit\(\) has y, which objective steps does"):
        refitted(steps, y=1)
