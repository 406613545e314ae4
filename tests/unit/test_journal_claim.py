"""Whose a journal is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.plans import plan_for

import asha_bus as ab
from asha_bus.driver.journal import open_journal


def space(seed: int, high: float = 1) -> ab.Space:
    wide = ab.Space({f"p{number}": ab.uniform(0, 1) for number in range(40)})
    return wide * ab.Space(last=ab.uniform(0, high)).sample(3, seed) + {"p0": 1}


@pytest.mark.parametrize(
    ("other", "was", "now"),
    [(space(2), '["sample", [3, 1, ', '["sample", [3, 2, '), (space(1, 2), "1.0]]", "2.0]]")],
)
def test_the_difference_of_two_long_spaces_is_shown(
    other: ab.Space, was: str, now: str, tmp_path: Path
) -> None:
    path = tmp_path / "run.journal"
    first, second = (
        plan_for(lambda **params: 0.5, one, max_trials=3, seed=1).header
        for one in (space(1), other)
    )
    os.close(open_journal(path, first, resume=False, seed_given=True).fd)
    with pytest.raises(ab.InvalidArgument, match="belongs to another run") as caught:
        open_journal(path, second, resume=True, seed_given=True)
    before, after = str(caught.value).split(" and is ")
    assert was in before
    assert now in after
    assert len(str(caught.value)) < 1_000


def yields(x: float) -> Iterator[float]:
    """An objective that can be paused."""
    yield x


def refusal(tmp_path: Path, before: ab.Scheduler | None, now: ab.Scheduler | None) -> str:
    """What a resume with another scheduler is answered."""
    path = tmp_path / "run.journal"
    first, second = (
        plan_for(yields, {"x": ab.uniform(0, 1)}, max_trials=7, seed=1, scheduler=one).header
        for one in (before, now)
    )
    os.close(open_journal(path, first, resume=False, seed_given=True).fd)
    with pytest.raises(ab.InvalidArgument) as caught:
        open_journal(path, second, resume=True, seed_given=True)
    return str(caught.value).partition("another run: ")[2].partition(". Pass")[0]


@pytest.mark.parametrize(
    ("before", "now", "words"),
    [
        (ab.ASHA(9), ab.ASHA(9, 1, 4), "scheduler's reduction_factor was 3 and is 4"),
        (
            *(ab.ASHA(9), ab.ASHA(27, quorum=5)),
            "scheduler's max_resource was 9 and is 27; scheduler's quorum was 0 and is 5",
        ),
        (
            ab.ASHA(9),
            ab.PromotionASHA(9),
            f"scheduler was {ab.ASHA(9)} and is {ab.PromotionASHA(9)}",
        ),
        (None, ab.ASHA(9), f"scheduler was {ab.NoStopping()} and is {ab.ASHA(9)}"),
        (
            *(ab.SuccessiveHalving([(1, 3), (2, 1)]), ab.SuccessiveHalving([(1, 4), (2, 1)])),
            "scheduler's plan was [[1, 3], [2, 1]] and is [[1, 4], [2, 1]]",
        ),
    ],
)
def test_the_arguments_that_differ_are_named(
    before: ab.Scheduler | None, now: ab.Scheduler | None, words: str, tmp_path: Path
) -> None:
    assert words == refusal(tmp_path, before, now)


def test_a_scheduler_whose_arguments_were_fewer_then_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run.journal"
    header = plan_for(
        yields, {"x": ab.uniform(0, 1)}, max_trials=7, seed=1, scheduler=ab.ASHA(9)
    ).header
    plain = json.loads(header.identity["scheduler"])
    del plain["quorum"]  # as if that version of asha-bus had not had it
    older = header._replace(identity={**header.identity, "scheduler": json.dumps(plain)})
    os.close(open_journal(path, older, resume=False, seed_given=True).fd)
    resumed = open_journal(path, header, resume=True, seed_given=True)
    os.close(resumed.fd)
    assert resumed.is_resumed
