"""Arguments as programs have them: numbers of numpy, and paths that begin with ``~``."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asha_bus
from asha_bus.core.checks import as_builtin
from asha_bus.launching.arguments import LaunchArguments
from asha_bus.launching.plan import make_plan
from asha_bus.results.journals import read_journal

#: What is given here has wrong types on purpose.
ab: Any = asha_bus

SPACE = {"x": ab.uniform(0, 1)}
I3, TRUE = np.int64(3), np.bool_(True)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.int8(3), 3),
        (np.uint64(2**63), 2**63),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (np.bool_(False), False),
        (np.str_("min"), "min"),
        (np.array(3), 3),
    ],
)
def test_a_number_of_numpy_is_the_built_in_one(value: Any, plain: Any) -> None:
    found = as_builtin(value)
    assert (type(plain), plain) == (type(found), found)


@pytest.mark.parametrize(
    "value", [3, True, None, "a", [np.int64(3)], np.zeros(1), np.zeros((2, 2)), np.int64, np]
)
def test_anything_else_stays_as_it_is(value: Any) -> None:
    assert value is as_builtin(value)


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        (ab.ASHA(np.int64(9), np.int32(1), np.int64(3), np.int64(2)), ab.ASHA(9, 1, 3, 2)),
        (ab.ASHA(max_resource=np.int64(9), quorum=I3), ab.ASHA(max_resource=9, quorum=3)),
        (ab.NoStopping(I3), ab.NoStopping(3)),
        (ab.NoStopping(np.float64(2.5)), ab.NoStopping(2.5)),
        (ab.MedianStopping(np.int64(9), min_samples=I3), ab.MedianStopping(9, min_samples=3)),
        (ab.PromotionASHA(np.int64(9), max_resident=I3), ab.PromotionASHA(9, max_resident=3)),
        (
            ab.SuccessiveHalving([(np.int64(1), I3), (np.float32(2), np.int64(1))], np.int64(9)),
            ab.SuccessiveHalving([(1, 3), (2.0, 1)], 9),
        ),
        (
            ab.SuccessiveHalving.classic(np.int64(9), np.int64(1), I3),
            ab.SuccessiveHalving.classic(9, 1, 3),
        ),
        (ab.Hyperband([(I3, [(np.int64(1), 1)])]), ab.Hyperband([(3, [(1, 1)])])),
        (
            ab.Hyperband.classic(np.int64(9), I3, rebalance=TRUE),
            ab.Hyperband.classic(9, 3, rebalance=True),
        ),
        (ab.RandomSearch(I3), ab.RandomSearch(3)),
        (ab.TPE(n_startup=I3, seed=I3), ab.TPE(n_startup=3, seed=3)),
        (
            ab.BusOptions(port=I3, lease_s=np.float32(2.5), max_attempts=I3),
            ab.BusOptions(port=3, lease_s=2.5, max_attempts=3),
        ),
    ],
)
def test_classes_take_numbers_of_numpy(given: Any, plain: Any) -> None:
    assert plain == given
    assert repr(plain) == repr(given)  # so the types are the same
    if isinstance(given, ab.Scheduler):
        assert json.dumps(plain.to_plain()) == json.dumps(given.to_plain())


def test_a_launch_takes_numbers_of_numpy() -> None:
    given: dict[str, Any] = dict.fromkeys(COUNTS, I3)
    times: dict[str, Any] = {
        name: np.float32(2.5) for name in ("max_time", "trial_timeout", "stop_at")
    }
    switches: dict[str, Any] = dict.fromkeys(
        ("fail_fast", "capture_output", "unique", "curves"), TRUE
    )
    everything: Any = {**given, **times, **switches, "max_total_resource": np.int64(9)}
    found = LaunchArguments(lambda x: x, SPACE, **everything)
    own = {field.name: getattr(found, field.name) for field in fields(found)}
    assert dict.fromkeys(given, (int, 3)) == {n: (type(own[n]), own[n]) for n in given}
    assert all(type(own[name]) is float for name in times)
    assert all(own[name] is True for name in switches)
    assert {"repeats": 3, "seed": 3} == {n: make_plan(found).header.identity[n] for n in SEEN}


SEEN = ("repeats", "seed")
COUNTS = ("max_trials", "workers", "seed", "repeats", "retries", "max_failures", "page")


def test_spaces_take_numbers_of_numpy() -> None:
    whole, real = ab.randint(np.int64(1), I3, q=np.int8(1)), ab.uniform(np.float32(0), I3)
    assert "randint(1, 3)" == repr(whole)
    assert "uniform(0.0, 3.0)" == repr(real)
    space = ab.Space(x=real)
    assert list(space.sample(3, seed=3)) == list(space.sample(I3, seed=I3))
    assert space.draw(3) == space.draw(I3)
    found = ab.dry_run(lambda x: x, space, n=I3, steps=I3, seed=I3, quiet=TRUE)
    assert found.trials[0].params == space.resolve(ab.RandomSearch().draw(space, 0, 3))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: ab.ASHA(9, quorum=3.0), "quorum must be a whole number .* got 3.0 of type float"),
        (lambda: ab.ASHA(9, quorum=np.float64(3)), "got 3.0 of type float"),
        (lambda: ab.ASHA(9, quorum=TRUE), "got True of type bool"),
        (lambda: ab.ASHA(9, quorum=True), "got True of type bool"),
        (lambda: ab.ASHA(TRUE), "max_resource must be a number .* got True of type bool"),
        (lambda: ab.ASHA(9, quorum=np.zeros(1)), r"got array\(\[0.\]\) of type ndarray"),
        (lambda: ab.BusOptions(port=I3 / 2), "port must be a whole number .* got 1.5"),
        (lambda: ab.randint(TRUE, 3), "low must be a number, got .*True.* of type bool"),
        (lambda: ab.randint(True, 3), "low must be a number, got True of type bool"),
        (lambda: ab.Space(SPACE).draw(1.5), "seed must be a whole number"),
        (lambda: ab.RandomSearch(3.0), "seed must be a whole number"),
    ],
)
def test_what_is_not_a_whole_number_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=message):
        wrong()


def test_the_users_folder_in_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run.journal").write_bytes(b"journal")
    assert b"journal" == read_journal("~/run.journal") == read_journal(Path("~/run.journal"))
    given = LaunchArguments(lambda x: x, SPACE, max_trials=1, journal="~/run.journal")
    assert tmp_path / "run.journal" == make_plan(given).journal
    assert str(tmp_path / "run.journal") == make_plan(given).info.journal
    ab.FileMonitor("~/events")
    assert (tmp_path / "events").exists()
    result = ab.simulate([[0.5, 0.25]], workers=1).result
    assert tmp_path / "report.html" == result.report("~/report.html")
    assert (tmp_path / "report.html").exists()
    with pytest.raises(ab.InvalidArgument, match="the journal '~/missing' cannot be read"):
        ab.Result.from_journal("~/missing")
