"""Where the rungs lie, and which arguments a scheduler takes."""

from __future__ import annotations

from typing import Any

import pytest

from asha_bus.core.errors import InvalidArgument
from asha_bus.core.schedulers import ASHA, Decision, NoStopping, scheduler_from_plain
from asha_bus.core.trial import Trial


@pytest.mark.parametrize(
    ("least", "most", "eta", "levels"),
    [
        (1, 243, 3, (1, 3, 9, 27, 81)),
        (1, 1000, 10, (1, 10, 100)),
        (1, 27, 3, (1, 3, 9)),
        (4, 10, 3, (4,)),
        (1, 100, 3, (1, 3, 9, 27, 81)),
        (5, 5, 3, ()),
        (1, 1, 3, ()),
        (2, 64, 4, (2, 8, 32)),
        (0.1, 2.7, 3, (0.1, 0.3, 0.9)),
        (0.5, 4.5, 3, (0.5, 1.5)),
        (0.5, 4, 2, (0.5, 1, 2)),
        (1, 1e6, 10, (1, 10, 100, 1_000, 10_000, 100_000)),
        (1e3, 1e6, 10, (1_000, 10_000, 100_000)),
        (1, 3**30, 3, tuple(3**k for k in range(30))),
    ],
)
def test_rungs_are_counted_by_exact_multiplication(
    least: float, most: float, eta: int, levels: tuple[float, ...]
) -> None:
    assert levels == ASHA(most, least, eta).levels


def test_whole_levels_are_ints() -> None:
    assert [int, int, int] == [type(level) for level in ASHA(27.0, 1.0).levels]
    assert [float, int] == [type(level) for level in ASHA(4, 0.5, 4).levels]


@pytest.mark.parametrize(
    ("warmup", "levels"), [(0, (1, 3, 9)), (1, (1, 3, 9)), (2, (3, 9)), (9, (9,)), (9.5, ())]
)
def test_rungs_below_warmup_do_not_exist(warmup: float, levels: tuple[float, ...]) -> None:
    assert levels == ASHA(max_resource=27, warmup=warmup).levels


@pytest.mark.parametrize(
    ("brackets", "weights"),
    [(1, (1.0,)), (2, (9.0, 4.5)), (3, (9.0, 4.5, 3.0))],
)
def test_brackets_are_weighted_as_in_hyperband(brackets: int, weights: tuple[float, ...]) -> None:
    assert weights == ASHA(max_resource=27, brackets=brackets).bracket_weights


BAD: list[tuple[dict[str, Any], str]] = [
    ({"max_resource": 0}, "max_resource must be a number above 0.*0"),
    ({"max_resource": -1}, "max_resource must be a number above 0.*-1"),
    ({"max_resource": float("nan")}, "max_resource must be a number above 0.*nan"),
    ({"max_resource": float("inf")}, "max_resource must be a number above 0.*inf"),
    ({"max_resource": 10**400}, "max_resource must be a number above 0 and at most"),
    ({"max_resource": 1e30}, "max_resource must be a number above 0 and at most.*1e[+]30"),
    (
        {"max_resource": "81"},
        "max_resource must be a number .* 2[*][*]53, got '81' of type str",
    ),
    (
        {"max_resource": True},
        "max_resource must be a number .* 2[*][*]53, got True of type bool",
    ),
    ({"max_resource": None, "brackets": 2}, "2 brackets need max_resource, which is None"),
    ({"min_resource": 0}, "min_resource must be a number above 0.*0"),
    ({"min_resource": 28}, r"max_resource \(27\) is less than min_resource \(28\)"),
    ({"reduction_factor": 1}, "reduction_factor must be a whole number of at least 2, got 1"),
    ({"reduction_factor": 0}, "reduction_factor must be a whole number of at least 2, got 0"),
    (
        {"reduction_factor": 2.5},
        "reduction_factor must be .* of at least 2, got 2.5 of type float",
    ),
    ({"reduction_factor": True}, "reduction_factor must be a whole number of at least 2, got True"),
    ({"brackets": 0}, "brackets must be a whole number of at least 1, got 0"),
    ({"brackets": 4}, r"4 brackets need 4 rungs, but there are 3 \(at 1, 3, 9\)"),
    ({"min_resource": 27, "brackets": 2}, r"2 brackets .* there are 0 \(at none\)"),
    ({"warmup": 5, "brackets": 2}, r"2 brackets .* there are 1 \(at 9\)"),
    ({"quorum": -1}, "quorum must be a whole number of at least 0, got -1"),
    ({"warmup": -1}, "warmup must be a number above 0.*-1"),
    ({"warmup": 27}, r"warmup \(27\) leaves no rung below max_resource \(27\)"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_a_wrong_argument_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=f"^ASHA: {message}"):
        ASHA(**{"max_resource": 27, **arguments})


@pytest.mark.parametrize(
    "scheduler",
    [ASHA(81), ASHA(4.5, 0.5, 2, brackets=2, warmup=1, quorum=4), NoStopping(), NoStopping(5)],
)
def test_a_scheduler_survives_as_plain_data(scheduler: Any) -> None:
    assert scheduler == scheduler_from_plain(scheduler.to_plain())


def test_no_stopping_asks_at_its_end_only() -> None:
    rule, trial = NoStopping(max_resource=5).new_state(mode="min", seed=1), Trial(0, (), 0)
    assert 5 == rule.next_resource(trial)
    assert Decision("continue", (), 5) == rule.report(trial, 4, float("nan"))
    assert Decision("complete", (), None) == rule.report(trial, 5, 0.5)


def test_no_stopping_without_an_end_never_asks() -> None:
    rule, trial = NoStopping().new_state(mode="min", seed=1), Trial(0, (), 0)
    assert None is rule.next_resource(trial)
    assert Decision("continue", (), None) == rule.report(trial, 1e9, 0.5)


def test_no_stopping_names_a_wrong_argument() -> None:
    with pytest.raises(InvalidArgument, match="NoStopping: max_resource must be a number.*-2"):
        NoStopping(max_resource=-2)


@pytest.mark.parametrize(
    ("scheduler", "full"), [(ASHA(81), 81), (NoStopping(5), 5), (NoStopping(), None)]
)
def test_the_full_resource_is_what_an_unstopped_trial_gets(
    scheduler: ASHA | NoStopping, full: float | None
) -> None:
    assert full == scheduler.full_resource
