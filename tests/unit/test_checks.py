"""What an argument must be, and the error where it is not."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import asha_bus as ab
from asha_bus.core.checks import (
    ABOVE_0,
    ELSEWHERE,
    PATH,
    SECONDS,
    SHARE,
    SWITCH,
    Rule,
    check,
    check_names,
    one_of,
    shortened,
    text,
    whole,
)
from asha_bus.core.errors import InvalidArgument


class Exits:
    def __repr__(self) -> str:
        raise SystemExit(3)


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (1, whole(1)),
        (2**63 - 1, whole(0)),
        (7, whole(7, 7)),
        (1e-300, ABOVE_0),
        (5, ABOVE_0),
        (0, SHARE),
        (1.0, SHARE),
        (1e9, SECONDS),
        (False, SWITCH),
        ("b", one_of(Literal["a", "b"])),
        ("a", text("a word")),
        ("", PATH),
    ],
)
def test_valid_arguments_pass(value: object, rule: Rule) -> None:
    check("it", value, rule)


@pytest.mark.parametrize(
    ("value", "rule", "message"),
    [
        (0, whole(1), "it must be a whole number of at least 1, got 0"),
        (2**63, whole(1), "it must be a whole number of at least 1, got 9223372036854775808"),
        (8, whole(1, 7), "it must be a whole number from 1 to 7, got 8"),
        (1.0, whole(1), "it must be a whole number of at least 1, got 1.0 of type float"),
        (True, whole(0), "it must be a whole number of at least 0, got True of type bool"),
        (None, whole(0), "it must be a whole number of at least 0, got None"),
        (math.inf, ABOVE_0, "it must be a number above 0, got inf"),
        (True, ABOVE_0, "it must be a number above 0, got True of type bool"),
        (math.nan, SHARE, "it must be a number from 0 to 1, got nan"),
        ("5", SECONDS, "it must be a number of seconds above 0 and at most 1e9, got '5' of type"),
        (0, SWITCH, "it must be True or False, got 0 of type int"),
        ("c", one_of(Literal["a", "b", "c d"]), "it must be 'a', 'b' or 'c d', got 'c'"),
        (["a"], one_of(Literal["a", "b"]), "it must be 'a' or 'b', got ['a'] of type list"),
        ("", text("a word"), "it must be a word, got ''"),
        (5, PATH, "it must be the path of a file, got 5"),
        (Broken, PATH, "it must be the path of a file, got the class Broken: give Broken(...)"),
        (Broken(), SWITCH, "got <Broken whose repr raised RuntimeError> of type Broken"),
        (Exits(), SWITCH, "got <Exits whose repr raised SystemExit> of type Exits"),
    ],
)
def test_a_wrong_argument_is_named_and_shown(value: object, rule: Rule, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check("it", value, rule)
    assert message in str(caught.value)


def test_a_numpy_number_is_distinguished_from_a_built_in_one() -> None:
    with pytest.raises(InvalidArgument, match="of type int64"):
        check("it", np.int64(5), whole(1))


@pytest.mark.parametrize(
    "value", ["x" * 10_000, list(range(10_000)), 10**100_000, Broken()], ids=type
)
def test_shown_values_are_short(value: Any) -> None:
    assert len(shortened(value)) <= 203
    with pytest.raises(InvalidArgument) as caught:
        check("it", value, SWITCH)
    assert len(str(caught.value)) < 260


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("size", "f() takes no 'size'; see help(asha_bus.f)"),
        ("colour", "f() takes no 'colour'; did you mean 'color'?"),
        ("tint", "f() takes no 'tint'; use color"),
    ],
)
def test_an_unknown_argument_is_answered(name: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_names("f()", ["color", name], ["color", "shape"], {"tint": "color"})
    assert message == str(caught.value)


UNIFORM = {"x": ab.uniform(0, 1)}

UNKNOWN: list[tuple[Callable[..., object], str, str]] = [
    (ab.launch, "timeout", "launch() takes no 'timeout'; use max_time"),
    (ab.launch, "num_samples", "launch() takes no 'num_samples'; use max_trials"),
    (ab.launch, "study_name", "launch() takes no 'study_name'; use name"),
    (ab.launch, "storage", "launch() takes no 'storage'; use journal"),
    (ab.launch, "trials_save_file", "launch() takes no 'trials_save_file'; use journal=PATH"),
    (ab.launch, "config", "launch() takes no 'config'; use space"),
    (
        *(ab.launch, "metric"),
        "launch() takes no 'metric'; use mode='min' or 'max'; the metric is the number that the "
        "objective reports",
    ),
    (
        *(ab.start, "show_progress_bar"),
        "start() takes no 'show_progress_bar'; use monitor='progress', or None for silence",
    ),
    (ab.MedianStopping, "grace_period", "MedianStopping() takes no 'grace_period'; use grace"),
    (ab.launch, "grace_period", "launch() takes no 'grace_period'; use ASHA(min_resource=...)"),
    (ab.launch, "max_resource", "launch() takes no 'max_resource'; use ASHA(max_resource=...)"),
    (ab.start, "n_startup_trials", "start() takes no 'n_startup_trials'; use TPE(n_startup=...)"),
    (ab.start, "zebra", "start() takes no 'zebra'; see help(asha_bus.start)"),
    (ab.dry_run, "n_trials", "dry_run() takes no 'n_trials'; use n"),
    (ab.dry_run, "quite", "dry_run() takes no 'quite'; did you mean 'quiet'?"),
    (ab.dry_run, "n_jobs", "dry_run() takes no 'n_jobs'; use launch(workers=...)"),
    (ab.fmin, "n_trials", "fmin() takes no 'n_trials'; use max_evals"),
    (ab.fmin, "n_jobs", "fmin() takes no 'n_jobs'; use workers"),
    (ab.ASHA, "max_t", "ASHA() takes no 'max_t'; use max_resource"),
    (ab.ASHA, "zebra", "ASHA() takes no 'zebra'; see help(asha_bus.ASHA)"),
    (ab.NoStopping, "max_t", "NoStopping() takes no 'max_t'; use max_resource"),
    (ab.BusOptions, "lease", "BusOptions() takes no 'lease'; did you mean 'lease_s'?"),
    (ab.TPE, "n_EI_candidates", "TPE() takes no 'n_EI_candidates'; use n_candidates"),
    (ab.RandomSearch, "rstate", "RandomSearch() takes no 'rstate'; use seed"),
    (
        ab.OptunaSearcher,
        "study",
        "OptunaSearcher() takes no 'study'; see help(asha_bus.OptunaSearcher)",
    ),
]


@pytest.mark.parametrize(("function", "name", "message"), UNKNOWN)
def test_a_name_of_another_tuner_is_translated(
    function: Callable[..., object], name: str, message: str
) -> None:
    needed = () if isinstance(function, type) else (lambda x: x, UNIFORM)
    with pytest.raises(InvalidArgument) as caught:
        function(*needed, **{name: 1})
    assert message == str(caught.value)


PARTS: list[tuple[Callable[..., object], str, str]] = [
    (ab.uniform, "log", "uniform() takes no 'log'; use loguniform(low, high)"),
    (ab.uniform, "step", "uniform() takes no 'step'; use q"),
    (ab.uniform, "lower", "uniform() takes no 'lower'; use low"),
    (ab.randint, "step", "randint() takes no 'step'; use q"),
    (ab.normal, "loc", "normal() takes no 'loc'; use mu"),
    (ab.choice, "p", "choice() takes no 'p'; use choice('a', 'a', 'b'): what is listed twice is "),
    (ab.choice, "options", "choice() takes no 'options'; use choice('a', 'b')"),
    (ab.grid, "values", "grid() takes no 'values'; use grid(1, 2, 3)"),
    (ab.func, "lr", "func() takes no 'lr'; use func(lambda a, b: f(a, x=b), a, b), since "),
]


@pytest.mark.parametrize(("function", "name", "message"), PARTS)
def test_a_part_of_a_space_answers_unknown_names(
    function: Callable[..., object], name: str, message: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        function(1, 2, **{name: 1})
    assert str(caught.value).startswith(message)


def test_options_stay_as_they_were_written() -> None:
    option = np.float32(0.5)
    for parameter in (ab.choice(option, 1), ab.grid(option, 1), ab.ordinal(option, 1)):
        assert ab.Space(x=parameter).resolve((0.0,))["x"] is option


def test_the_names_of_other_tuners_are_those_of_the_glossary() -> None:
    glossary = Path(__file__).resolve().parents[2] / "docs" / "glossary.md"
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", glossary.read_text(encoding="utf-8"), re.M)
    for ours, others in rows:
        for theirs in re.findall(r"`([a-z_]+)`", others):
            if theirs not in (ours, "stop", "reduction_factor") and "_" in theirs:
                assert ours == ELSEWHERE[theirs].rpartition(".")[2]
    assert 12 == len(rows)
    taken = {
        *signature(ab.launch).parameters,
        *signature(ab.ASHA).parameters,
        *signature(ab.TPE).parameters,
    }
    ours = {one.rpartition(".")[2] for one in ELSEWHERE.values()}
    assert ours <= taken
    assert {"max_resource"} == set(ELSEWHERE) & taken


@pytest.mark.parametrize("function", [ab.BusOptions, ab.ASHA, ab.dry_run, ab.launch])
def test_a_signature_shows_plain_types(function: Callable[..., object]) -> None:
    shown = str(signature(function))
    assert not re.search("Annotated|Rule|lambda|typing|: '", shown), shown
    plain = ("lease_s: float = 60.0", "min_resource: float = 1", "seed: int")
    assert any(text in shown for text in plain)
