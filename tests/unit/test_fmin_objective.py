"""What fmin makes of objectives, their results and their exceptions, without a run."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import hyperopt.exceptions
import numpy as np
import pytest
from support.fmin_objectives import Diverged
from support.results import make_trial

import asha_bus as ab
from asha_bus.core.space import Space
from asha_bus.hyperopt import exceptions
from asha_bus.hyperopt.documents import document, fail_result
from asha_bus.hyperopt.objective import FminObjective, fmin_objective
from asha_bus.objective.behind import Shape
from asha_bus.objective.kinds import TrialFailed, shape_of
from asha_bus.objective.raised import exception_of, failed_by

S = ab.TrialState


def never(params: Any) -> float:
    raise AssertionError("nothing is to be run")


def test_a_dict_of_results_keeps_what_is_plain() -> None:
    given = {"loss": 2, "status": ab.STATUS_OK, "auc": np.float32(0.5), "model": [1], "note": "a"}
    assert (2, {"auc": 0.5, "note": "a"}) == FminObjective(lambda params: given)(x=1)
    assert 0.5 == FminObjective(lambda params: params["x"])(x=0.5)
    assert 3 == FminObjective(lambda first: first[0])((3, 4))
    assert 4 == FminObjective(lambda params, rows: params["x"] + rows, data=["rows"])(x=1, rows=3)
    assert 5 == FminObjective(lambda x, y: x + y, by_name=True)(x=2, y=3)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loss": 1}, "status None"),
        ({"loss": 1, "status": "running"}, "status 'running'"),
        ({"status": "ok"}, "without a loss"),
    ],
)
def test_a_wrong_dict_is_an_error_that_names_the_mistake(
    given: dict[str, Any], message: str
) -> None:
    with pytest.raises(TrialFailed) as raised:
        FminObjective(lambda params: given)(x=1)
    assert isinstance(raised.value.__cause__, ab.ObjectiveError)
    assert message in str(raised.value.__cause__)
    found = exception_of(raised.value.extras)
    assert type(found) in (exceptions.InvalidResultStatus, exceptions.InvalidLoss)
    assert message in str(found)
    assert isinstance(found, ab.ObjectiveError)


def test_a_generator_is_closed_with_its_wrapper() -> None:
    events = []

    def train(params: Any) -> Any:
        try:
            yield {"loss": params["x"], "status": "ok", "epoch": 1}
            yield 0.5
        finally:
            events.append("closed")

    assert Shape.GENERATOR is shape_of(fmin_objective(train))
    assert Shape.FUNCTION is shape_of(fmin_objective(never))
    values = fmin_objective(train)(x=1)
    assert (1, {"epoch": 1}) == next(values)
    assert 0.5 == next(values)
    values.close()
    assert ["closed"] == events


def failed(value: Any) -> Any:
    """A trial whose objective gave ``value`` back, which fails it."""
    with pytest.raises(TrialFailed) as raised:
        FminObjective(lambda params: value)(x=1)
    text = "".join(traceback.format_exception(raised.value))
    return make_trial(0, S.FAILED, None, error=text, extras=raised.value.extras)


def test_a_status_of_fail_is_distinguished_from_an_exception() -> None:
    told = fail_result(failed({"status": ab.STATUS_FAIL, "why": "two\nlines", "net": [1]}))
    assert {"status": "fail", "why": "two\nlines"} == told
    assert {"status": "fail", "loss": 3} == fail_result(failed({"status": "fail", "loss": 3}))
    assert {"status": "fail"} == fail_result(failed({"status": "fail"}))
    assert fail_result(make_trial(0, S.FAILED, error="Traceback ...\nValueError: fail")) is None
    assert fail_result(make_trial(0, S.FAILED)) is None


def test_the_text_of_an_error_says_nothing_of_a_status() -> None:
    given = failed({"status": "fail", "why": "it diverged"})
    assert "it diverged" in given.error
    assert fail_result(replace(given, extras={})) is None
    assert fail_result(replace(given, error="ValueError: no")) == fail_result(given)
    older = 'Traceback ...\nasha_bus.hyperopt.objective.StatusFail: {"why": "x"}\n'
    raised = make_trial(0, S.FAILED, error=older, extras={"n": 1})
    assert fail_result(raised) is None
    assert "new" == document(raised, Space(x=ab.uniform(0, 1)))["result"]["status"]


#: What an objective might return to look like one that raised, and a plain result.
MIMICRY = {"_more_results": "{", "_raised_type": "builtins:OSError", "_raised_text": "", "n": 1}


def test_nothing_that_is_returned_with_a_loss_reads_as_a_status_of_fail() -> None:
    def mimics(params: Any) -> Iterator[Any]:
        yield {"loss": 1.0, "status": "ok", "_status_fail": True, **MIMICRY}
        raise ValueError("no")

    values = fmin_objective(mimics)(x=1)
    loss, extras = next(values)
    assert (1.0, {"n": 1}) == (loss, extras)
    with pytest.raises(TrialFailed) as raised:
        next(values)
    assert fail_result(make_trial(0, S.FAILED, loss, extras=raised.value.extras)) is None
    assert fail_result(make_trial(0, S.FAILED, loss, extras=extras)) is None
    assert exception_of(extras) is None


# --- exceptions -----------------------------------------------------------------


def raised_in_a_trial(error: Exception) -> Any:
    """The trial of an objective that raised ``error``."""

    def fn(params: Any) -> Any:
        raise error

    with pytest.raises(TrialFailed) as raised:
        FminObjective(fn)(x=1)
    assert raised.value.__cause__ is error
    return make_trial(0, S.FAILED, None, extras=raised.value.extras)


class Inner(ValueError):
    """Has a place within nothing; see `Outer`."""


class Outer:
    Inner = type("Inner", (Inner,), {"__qualname__": "Outer.Inner"})


@pytest.mark.parametrize(
    "error",
    [
        ValueError("too large"),
        KeyError("no such thing"),
        ZeroDivisionError(),
        Diverged("at step 3"),
        Outer.Inner("within"),
        hyperopt.exceptions.BadSearchSpace("no"),
        ab.InvalidArgument("x must be"),
        ValueError("h\u00f6her, in\nlines"),
        KeyError(3),
        KeyError((1, "a", None)),
        KeyError(True),
        IndexError(2.5),
        ValueError("two", "texts"),
        FileNotFoundError(2, "No such file"),
    ],
)
def test_an_exception_comes_back_as_its_own_type(error: Exception) -> None:
    found = exception_of(raised_in_a_trial(error).extras)
    assert (type(error), error.args) == (type(found), found and found.args)


def test_a_text_of_several_arguments_comes_back() -> None:
    found = exception_of(raised_in_a_trial(FileNotFoundError(2, "No such file")).extras)
    assert (FileNotFoundError, "[Errno 2] No such file") == (type(found), str(found))


def test_a_whole_number_of_numpy_comes_back_as_a_built_in_one() -> None:
    found = exception_of(raised_in_a_trial(KeyError(np.int64(3))).extras)
    assert "KeyError(3)" == repr(found)


@pytest.mark.parametrize("value", [[1], b"x", {"a": 1}, "y" * 3_000, 1j, ((object(),),)])
def test_arguments_that_are_not_plain_or_too_long_come_back_as_text(value: Any) -> None:
    extras = raised_in_a_trial(KeyError(value, 1)).extras
    assert {"_raised_type", "_raised_text"} == set(extras)


@pytest.mark.parametrize("text", ["{", "3", "[" * 2_000, '[{"a": 1}]', "null", 7])
def test_arguments_that_somebody_else_made_leave_the_text(text: Any) -> None:
    extras = {"_raised_type": "builtins:KeyError", "_raised_text": "echo", "_raised_args": text}
    assert "KeyError('echo')" == repr(exception_of(extras))


class Picky(Exception):
    """Wants two arguments, and says something else."""

    def __init__(self, one: bytes, two: str) -> None:
        super().__init__(f"{one!r} and {two}")


class Rude(Exception):
    """Cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_that_cannot_be_made_again_is_none() -> None:
    class Local(Exception):
        pass

    unmade = [
        Local("x"),
        Picky(b"a", "b"),
        UnicodeDecodeError("utf-8", b"", 0, 1, "bad"),
    ]
    assert [None] * 3 == [exception_of(raised_in_a_trial(error).extras) for error in unmade]


def test_an_exception_that_cannot_be_shown_says_so() -> None:
    found = exception_of(raised_in_a_trial(Rude(1, 2)).extras)
    assert Rude is type(found)
    assert "not available: RuntimeError('no text')" in found.args[0]


class NoArgs(Exception):
    """Has its own idea of args."""

    args = None  # type: ignore[assignment]


class Exits(Exception):
    """Ends the program where it is shown, or made of a text."""

    def __init__(self, *args: object) -> None:
        if isinstance(args[0], str):
            sys.exit(3)
        super().__init__(*args)

    def __str__(self) -> str:
        sys.exit(3)


def test_args_and_texts_that_raise_are_the_exceptions_own_matter() -> None:
    trials = [raised_in_a_trial(error) for error in (NoArgs("x"), Exits(1, 2), Exits(3))]
    assert {"NoArgs", "Exits"} == {trial.extras["_raised_type"].split(":")[1] for trial in trials}
    assert [None, None] == [exception_of(trial.extras) for trial in trials[1:]]


class Lazy(ModuleType):
    """A module that notices whether something is looked up by way of its __getattr__."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} was asked for")


@pytest.mark.parametrize(
    "name",
    [
        "antigravity:Error",
        "os:system",
        "os:path.join",
        "builtins:KeyboardInterrupt",
        "builtins:SystemExit",
        "builtins:str",
        "lazy_for_a_test:Error",
        "proxies_for_a_test:Error",
        "lazy_for_a_test:module.Error",
        "lazy_for_a_test:kind.Error",
        "lazy_for_a_test:kind",
        "nonsense",
        "",
        ":",
        "os:",
    ],
)
def test_a_worker_names_nothing_but_exceptions_that_are_here(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lazy, proxy = Lazy("lazy_for_a_test"), MagicMock(spec=ModuleType("proxy"))
    lazy.__dict__.update(module=proxy, kind=MagicMock(spec=type))  # whose __class__ is not true
    monkeypatch.setitem(sys.modules, "lazy_for_a_test", lazy)
    monkeypatch.setitem(sys.modules, "proxies_for_a_test", proxy)
    extras = {"_raised_type": name, "_raised_text": "echo"}
    before = set(sys.modules)
    assert exception_of(extras) is None
    assert before == set(sys.modules)


def test_a_long_text_is_cut() -> None:
    found = exception_of(raised_in_a_trial(ValueError("x" * 10**6)).extras)
    assert str(found) == "x" * len(str(found))
    assert 1000 < len(str(found)) < 10_000
    assert "?" == failed_by(ValueError("\ud800")).extras["_raised_text"]


def test_an_exception_of_a_generator_comes_back() -> None:
    def train(params: Any) -> Iterator[float]:
        yield 1.0
        raise Diverged("at step 2")

    values = fmin_objective(train)(x=1)
    assert 1.0 == next(values)
    with pytest.raises(TrialFailed) as raised:
        next(values)
    assert isinstance(raised.value.__cause__, Diverged)
