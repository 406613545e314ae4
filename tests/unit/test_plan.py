"""The arguments of a launch: what is taken, and the message for what is not."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import fields
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from support import objectives
from support.plans import DEFAULTS, ENDLESS, plan_for, square

import asha_bus as ab
from asha_bus import (
    ASHA,
    BusOptions,
    NoStopping,
    RandomSearch,
    Space,
    grid,
    launch,
    loguniform,
    uniform,
)
from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers import (
    Hyperband,
    MedianStopping,
    PromotionASHA,
    Scheduler,
    SuccessiveHalving,
)
from asha_bus.launching.arguments import LaunchArguments


def test_launch_has_these_defaults() -> None:
    given = {
        name: parameter.default
        for name, parameter in inspect.signature(launch).parameters.items()
        if name not in ("objective", "space", "spark")
    }
    assert DEFAULTS == given


def test_each_argument_is_checked_by_the_rule_in_its_type() -> None:
    unruled = {f.name for f in fields(LaunchArguments) if not hasattr(f.type, "__metadata__")}
    # the first two and the last two are checked where they are read; the engine knows the session
    assert {"objective", "space", "spark", "monitor", "history"} == unruled
    assert all(hasattr(field.type, "__metadata__") for field in fields(BusOptions))


def test_a_plan_holds_what_was_given() -> None:
    scheduler, searcher, bus = ASHA(9), RandomSearch(3), BusOptions(lease_s=8.0, max_attempts=2)
    plan = plan_for(
        mode="max",
        scheduler=scheduler,
        searcher=searcher,
        max_trials=5,
        max_time=60,
        stop_at=Fraction(1, 2),
        engine="local",
        workers=2,
        seed=4,
        name="my-run_1.a",
        monitor=None,
        bus=bus,
        trial_timeout=30,
        max_failures=0,
        fail_fast=True,
    )
    assert ("my-run_1.a", "local", 2, ()) == (
        plan.name,
        plan.given.engine,
        plan.given.workers,
        plan.monitors,
    )
    assert (square, ENDLESS, searcher, bus) == (
        plan.given.objective,
        plan.space,
        plan.searcher,
        plan.given.bus,
    )
    settings = plan.with_options(bus).settings
    assert (scheduler, 4, "max", 5) == (
        settings.scheduler,
        settings.seed,
        settings.mode,
        settings.max_trials,
    )
    assert (60, 0.5, 8.0, 2.0, 2) == (
        settings.max_time_s,
        settings.stop_at,
        settings.lease_s,
        settings.heartbeat_s,
        settings.max_attempts,
    )
    assert (30, 0, True) == (settings.trial_timeout_s, settings.max_failures, settings.fail_fast)


def test_a_total_of_resource_ends_a_run_without_another_end() -> None:
    settings = plan_for(max_total_resource=100).settings
    assert (None, 100) == (settings.max_trials, settings.max_total_resource)


@pytest.mark.parametrize(
    ("scheduler", "least"),
    [
        (ASHA(81, min_resource=3), 3),
        (ASHA(81, min_resource=3, brackets=3), 3),
        (ASHA(81, warmup=9), 9),
        (NoStopping(max_resource=20), 20),
        (PromotionASHA(81, min_resource=3), 3),
        (MedianStopping(81, grace=5), 5),
        (SuccessiveHalving([(4, 2), (2, 1)]), 4),
        (Hyperband.classic(9, 3), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_total_of_resource_below_the_first_rung_is_refused(
    scheduler: Scheduler, least: float
) -> None:
    given: dict[str, Any] = {
        "objective": objectives.slope,
        "space": ENDLESS,
        "scheduler": scheduler,
        "max_trials": 100,
    }
    assert least == plan_for(**given, max_total_resource=least).settings.max_total_resource
    words = f"max_total_resource must be at least {least}, .*{type(scheduler).__name__}.*, got "
    with pytest.raises(InvalidArgument, match=words):
        plan_for(**given, max_total_resource=least - 0.5)


def test_missing_arguments_get_defaults() -> None:
    first, second = plan_for(max_trials=5), plan_for(max_trials=5)
    assert NoStopping() == first.settings.scheduler
    assert RandomSearch() == first.searcher
    assert first.settings.run != second.settings.run
    assert first.settings.seed != second.settings.seed
    assert first.name.startswith("run-")


def test_the_settings_survive_as_plain_data() -> None:
    settings = plan_for(scheduler=ASHA(9), max_trials=5, stop_at=0.1).settings
    assert settings == type(settings).from_plain(settings.to_plain())


THREE = Space(x=grid(1, 2, 3))


@pytest.mark.parametrize(
    ("space", "max_trials", "max_time", "limit", "reason"),
    [
        (ENDLESS, 5, None, 5, "max_trials"),
        (ENDLESS, 5, 60, 5, "max_trials"),
        (ENDLESS, None, 60, None, "max_trials"),
        (THREE, None, None, 3, "exhausted"),
        (THREE, 2, None, 2, "max_trials"),
        (THREE, 3, None, 3, "exhausted"),
        (THREE, 6, None, 3, "exhausted"),
        ({"x": 5}, None, None, 1, "exhausted"),
        (Space(x=uniform(0, 1), y=grid(1, 2)), 7, None, 7, "max_trials"),
    ],
)
def test_the_limit_of_a_run(
    space: Any, max_trials: int | None, max_time: float | None, limit: int | None, reason: str
) -> None:
    settings = plan_for(
        lambda **params: 0.0, space, max_trials=max_trials, max_time=max_time
    ).settings
    assert (limit, reason) == (settings.max_trials, settings.limit_reason)


def by_hand(trial: object) -> None:
    pass


def test_an_objective_by_hand_takes_any_space() -> None:
    assert by_hand is plan_for(by_hand, THREE).given.objective


def two(x: float, y: float) -> float:
    return x + y


def nothing() -> float:
    return 0.0


def never(x: float) -> float:
    raise AssertionError("a check does not call the objective")


def test_the_objective_is_not_called() -> None:
    plan_for(never, max_trials=1)


BAD: list[tuple[Callable[[], object], str]] = [
    (lambda: plan_for(space={}), "the space is empty; give it a parameter"),
    (lambda: plan_for(space=None), "space must be a Space or a dict of parameters, got None"),
    (lambda: plan_for(space={"x": uniform(1, 0)}), r"uniform\(1, 0\): low is greater than high"),
    (lambda: plan_for(space={"x": loguniform(0, 1)}), r"loguniform\(0, 1\): low must be above 0"),
    (lambda: plan_for(scheduler=ASHA(1, 3)), r"max_resource \(1\) is less than min_resource \(3\)"),
    (
        lambda: plan_for(scheduler=ASHA(9, 1, 1)),
        "reduction_factor must be a whole .* at least 2, got 1",
    ),
    (
        lambda: plan_for(),
        "the space is infinite, so the run needs an end: give max_trials, max_time",
    ),
    (lambda: plan_for(5), "objective must be a function, got 5 of type int"),  # type: ignore[arg-type]
    (lambda: plan_for(two), r"requires y, which the space lacks \(it has x\)"),
    (lambda: plan_for(nothing), "the space has x, which objective nothing does not take"),
    (lambda: plan_for(mode="minimize"), "mode must be 'min' or 'max', got 'minimize'"),
    (lambda: plan_for(mode=None), "mode must be 'min' or 'max', got None"),
    (lambda: plan_for(mode=["min"]), r"mode must be 'min' or 'max', got \['min'\]"),
    (lambda: plan_for(scheduler="asha"), "scheduler must be a scheduler such as ASHA.*'asha'"),
    (lambda: plan_for(scheduler=ASHA), "scheduler must be a scheduler such as ASHA"),
    (lambda: plan_for(searcher="tpe"), "searcher must be Random.* got 'tpe'"),
    (
        lambda: plan_for(lambda trial: trial, {"trial": uniform(0, 1)}, max_trials=3),
        r"a parameter named 'trial', got uniform\(0.0, 1.0\), but .*; rename the parameter",
    ),
    (lambda: plan_for(max_trials=0), "max_trials must be a whole number of at least 1, got 0"),
    (lambda: plan_for(max_trials=2.0), "max_trials must be a whole number .* got 2.0"),
    (lambda: plan_for(max_trials=True), "max_trials must be a whole number .* got True"),
    (lambda: plan_for(workers=0), "workers must be a whole number of at least 1, got 0"),
    (lambda: plan_for(workers="2"), "workers must be a whole number of at least 1, got '2'"),
    (lambda: plan_for(seed=-1), "seed must be a whole number of at least 0, got -1"),
    (lambda: plan_for(seed=1.5), "seed must be a whole number of at least 0, got 1.5"),
    (lambda: plan_for(max_time=0), "max_time must be a number of seconds above 0.* got 0"),
    (lambda: plan_for(max_time=-5.0), "max_time must be a number of seconds above 0.* got -5.0"),
    (lambda: plan_for(max_time=math.inf), "max_time must be a number of seconds .* got inf"),
    (lambda: plan_for(max_time="60"), "max_time must be a number of seconds .* got '60'"),
    (lambda: plan_for(max_total_resource=0), "max_total_resource must be a number above 0, got 0"),
    (lambda: plan_for(max_total_resource="9"), "max_total_resource must be .* got '9' of type str"),
    (lambda: plan_for(max_time=True), "max_time must be a number of seconds .* got True"),
    (lambda: plan_for(max_time=10**400), "max_time must be a number of seconds .* got 1000"),
    (lambda: plan_for(trial_timeout=0), "trial_timeout must be .* or None for no limit, got 0"),
    (lambda: plan_for(trial_timeout="1h"), "trial_timeout must be a number of .* got '1h'"),
    (lambda: plan_for(trial_timeout=True), "trial_timeout must be a number of .* got True"),
    (lambda: plan_for(trial_timeout=math.nan), "trial_timeout must be .* at most 1e9.* got nan"),
    (lambda: plan_for(max_failures=-1), "max_failures must be a whole number of at least 0, .*-1"),
    (lambda: plan_for(max_failures=0.5), "max_failures must be a whole number .* got 0.5"),
    (lambda: plan_for(max_failures=True), "max_failures must be a whole number .* got True"),
    (lambda: plan_for(keep_artifacts=0), "keep_artifacts must be a whole number of at least 1"),
    (lambda: plan_for(fail_fast=1), "fail_fast must be True or False, got 1"),
    (lambda: plan_for(fail_fast="no"), "fail_fast must be True or False, got 'no'"),
    (lambda: plan_for(capture_output=1), "capture_output must be True or False, got 1"),
    (lambda: plan_for(stop_at="low"), "stop_at must be a finite number, got 'low'"),
    (lambda: plan_for(stop_at=True), "stop_at must be a finite number, got True"),
    (lambda: plan_for(stop_at=math.nan), "stop_at must be a finite number, got nan"),
    (lambda: plan_for(engine="dask"), "engine must be 'spark' or 'local', got 'dask'"),
    (lambda: plan_for(name=""), "name must be letters, digits.* got ''"),
    (lambda: plan_for(name="a b"), "name must be letters, digits.* got 'a b'"),
    (lambda: plan_for(name="../up"), r"name must be letters, digits.* got '\.\./up'"),
    (lambda: plan_for(name="x" * 65), "name must be .* 64 at most, got 'xxx"),
    (lambda: plan_for(name=5), "name must be letters, digits.* got 5"),
    (
        lambda: plan_for(monitor="plots"),
        r"monitor must be one of 'progress', 'text', 'rungs', 'curves', a Monitor \(subclass "
        r"ab.Monitor\), a list of these, or None, got 'plots'",
    ),
    (lambda: plan_for(bus={"port": 1}), r"bus must be BusOptions\(...\), got {'port': 1}"),
]


@pytest.mark.parametrize(("check", "message"), BAD)
def test_a_wrong_argument_is_named_with_its_value(
    check: Callable[[], object], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        check()


def test_a_wrong_argument_is_also_a_value_error() -> None:
    with pytest.raises(ValueError, match="mode"):
        plan_for(mode="minimize")


@pytest.mark.parametrize("value", [np.float32(0.5), np.array([0.5])])
def test_a_target_may_be_a_number_of_any_kind(value: Any) -> None:
    assert 0.5 == plan_for(max_trials=1, stop_at=value).settings.stop_at


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"host": ""}, "host must be a host name or None, got ''"),
    ({"host": 5}, "host must be a host name or None, got 5"),
    ({"port": -1}, "port must be a whole number from 0 to 65535, got -1"),
    ({"port": 70_000}, "port must be a whole number from 0 to 65535, got 70000"),
    ({"port": "80"}, "port must be a whole number from 0 to 65535, got '80'"),
    ({"lease_s": 0}, "lease_s must be a number of seconds above 0.* got 0"),
    ({"bus_timeout_s": math.nan}, "bus_timeout_s must be a number of seconds above 0.* got nan"),
    ({"start_timeout_s": "30"}, "start_timeout_s must be a number of seconds above 0.* got '30'"),
    ({"lease_s": 10**400}, "lease_s must be a number of seconds above 0.* got 1000"),
    ({"lease_s": True}, "lease_s must be a number of seconds above 0.* got True"),
    ({"max_attempts": 0}, "max_attempts must be a whole number from 1 to 1000, got 0"),
    ({"ship_packages": "yes"}, "ship_packages must be True or False, got 'yes'"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_a_wrong_option_of_the_bus_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^BusOptions: {message}"):
        BusOptions(**options)


@pytest.mark.parametrize(
    ("options", "heartbeat_s"),
    [
        (BusOptions(), 2.0),
        (BusOptions(lease_s=4.0), 1.0),
        (BusOptions(bus_timeout_s=4.0), 1.0),
    ],
)
def test_several_heartbeats_fit_into_a_lease_and_a_timeout(
    options: BusOptions, heartbeat_s: float
) -> None:
    assert heartbeat_s == options.heartbeat_s


def test_a_rule_for_what_returns_once_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    def yields(x: float) -> Iterator[float]:
        yield x

    space = {"x": ab.uniform(0, 1)}
    for objective, scheduler, words in (
        (lambda x: x, ab.ASHA(9), "there is nothing that ASHA could stop"),
        (lambda x: x, ab.NoStopping(), ""),
        (lambda x: x, None, ""),
        (yields, ab.ASHA(9), ""),
        (lambda trial: None, ab.ASHA(9), ""),
    ):
        caplog.clear()
        plan_for(objective, space, scheduler=scheduler, max_trials=3)
        assert words in caplog.text
        assert ("@ab.objective_kind('generator')" in caplog.text) == bool(words)
        assert bool(words) == bool(caplog.records)


# --- repeats and retries ---------------------------------------------------------


@pytest.mark.parametrize(
    ("max_trials", "limit", "reason"),
    [(None, 6, "exhausted"), (6, 6, "exhausted"), (5, 5, "max_trials"), (9, 6, "exhausted")],
)
def test_each_point_of_a_finite_space_is_repeated(
    max_trials: int | None, limit: int, reason: str
) -> None:
    settings = plan_for(space=THREE, repeats=2, max_trials=max_trials).settings
    assert (2, limit, reason) == (settings.repeats, settings.max_trials, settings.limit_reason)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"repeats": 0}, "repeats must be a whole number of at least 1, got 0"),
        ({"repeats": None}, "repeats must be a whole number of at least 1, got None"),
        ({"repeats": 2.0}, "repeats must be a whole number of at least 1, got 2.0"),
        ({"retries": -1}, "retries must be a whole number of at least 0, got -1"),
        ({"retries": True}, "retries must be a whole number of at least 0, got True"),
        ({"retries": None}, "retries must be a whole number of at least 0, got None"),
    ],
)
def test_repeats_and_retries_are_whole_numbers(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        plan_for(max_trials=5, **arguments)


def test_a_journal_holds_repeats_and_not_retries() -> None:
    plan = plan_for(max_trials=6, repeats=3, retries=2, seed=1)
    assert 3 == plan.header.identity["repeats"]
    assert 3 == plan.search.repeats
    assert "repeats" not in plan_for(max_trials=6, retries=2).header.identity
