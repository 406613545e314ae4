"""Data for the objective: it comes under its name, once to each task, and not without limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import pytest
from support import objectives

import asha_bus as ab
from asha_bus.core.trial import TrialState
from asha_bus.objective.data import gather
from asha_bus.objective.shared import dumps

SPACE = {"x": ab.uniform(0, 1)}


def run(objective: Any, **arguments: Any) -> Any:
    settings = {"engine": "local", "workers": 2, "monitor": None, "seed": 7, "max_trials": 8}
    return ab.launch(objective, SPACE, **{**settings, **arguments})


def test_every_shape_of_objective_gets_it_under_its_name(temporary_folder: Path) -> None:
    def function(x: float, train: Any, scale: float) -> float:
        return float(x * train.sum() * scale)

    def generator(x: float, train: Any, scale: float) -> Iterator[float]:
        yield float(x * train.sum() * scale)

    def by_hand(trial: ab.Trial, train: Any, scale: float) -> None:
        trial.report(trial.params["x"] * train.sum() * scale)

    data = {"train": np.ones(1_000), "scale": 2.0}
    for objective in (function, generator, by_hand):
        result = run(objective, data=data)
        assert {TrialState.COMPLETED} == {trial.state for trial in result.trials}
        assert [t.params["x"] * 2_000 for t in result.trials] == [
            pytest.approx(trial.metric) for trial in result.trials
        ]
    assert not list(temporary_folder.iterdir())


def test_each_task_loads_it_once(tmp_path: Path) -> None:
    def train(x: float, loud: Any) -> float:
        return x

    result = run(train, data={"loud": objectives.Loud(tmp_path)}, max_trials=20)
    assert 20 == len(result.trials)
    by_process = [mark.name.partition("-")[0] for mark in tmp_path.iterdir()]
    assert len(by_process) == len(set(by_process)) == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([1], "data must be a dict"),
        ({"x": 1}, "data has 'x', a name that the space"),
        ({"trial": 1}, "data has 'trial'"),
        ({"other": 1}, "data has 'other', which objective .* does not take"),
        ({"train": Lock()}, r"data\['train'\] cannot be sent to the workers: it is a lock, which"),
    ],
)
def test_invalid_data_is_reported(data: Any, words: str) -> None:
    with pytest.raises(ab.InvalidArgument, match=words):
        run(lambda x, train=None: x, data=data)


def test_data_that_are_too_large_are_refused_before_anything_starts() -> None:
    words = (
        r"data\['train'\] has 8,000,000 bytes, .* the limit is 1,000,000\. Write it to storage .* "
        r"and read it in the objective, or raise BusOptions\(max_data_bytes"
    )
    with pytest.raises(ab.InvalidArgument, match=words):
        run(
            lambda x, train: x,
            data={"train": np.zeros(1_000_000)},
            bus=ab.BusOptions(max_data_bytes=1_000_000),
        )


def test_a_required_argument_may_come_from_data() -> None:
    with pytest.raises(ab.InvalidArgument, match="requires train"):
        run(lambda x, train: x)

    def by_hand(trial: ab.Trial, table: Any) -> None:
        trial.report(0)

    with pytest.raises(ab.InvalidArgument, match="requires table.*or pass them as data"):
        run(by_hand)


def test_a_dry_run_gets_the_data() -> None:
    found = ab.dry_run(
        lambda x, train: x * len(train), SPACE, data={"train": [1, 2, 3]}, quiet=True
    )
    assert 3 * found.trials[0].params["x"] == found.trials[0].steps[0].metric


@pytest.mark.slow
@pytest.mark.spark
def test_on_spark_tables_are_broadcast_and_a_frame_of_spark_is_gathered(
    spark: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    import pandas

    frame = spark.range(1_000)
    table = pandas.DataFrame({"y": [1.0, 2.0]})

    def train(x: float, frame: Any, table: Any) -> float:
        return float(x + frame.num_rows + table["y"].sum())

    result = run(train, engine="spark", spark=spark, data={"frame": frame, "table": table})
    assert [t.params["x"] + 1_003 for t in result.trials] == [
        pytest.approx(trial.metric) for trial in result.trials
    ]
    assert "data frame: 1,000 rows, 0.0 MB\n" == capsys.readouterr().out
    with pytest.raises(
        ab.InvalidArgument, match=r"data\['frame'\] has .* bytes, .* the limit is 1,000\."
    ):
        gather({"frame": frame}, 1_000, dumps)
    found = ab.dry_run(
        lambda x, frame: x + frame.num_rows, SPACE, data={"frame": frame}, quiet=True
    )
    assert 1_000 + found.trials[0].params["x"] == found.trials[0].steps[0].metric


@pytest.mark.spark
def test_a_broadcast_that_was_captured_comes_along_on_spark(spark: Any) -> None:
    inner, outer = (spark.sparkContext.broadcast(np.full(3, value)) for value in (1.0, 2.0))

    def holds(x: float) -> float:
        return x + float(inner.value.sum())

    def train(x: float, factor: Any = outer) -> float:
        return holds(x) + float(factor.value.sum())

    for arguments in ({"engine": "spark", "spark": spark}, {"engine": "local"}):
        result = run(train, **arguments)
        assert [t.params["x"] + 9 for t in result.trials] == [
            pytest.approx(trial.metric) for trial in result.trials
        ]
    found = ab.dry_run(train, SPACE, quiet=True)
    assert 9 + found.trials[0].params["x"] == pytest.approx(found.trials[0].steps[0].metric)
    # Spark's own jobs have theirs
    assert [3.0] == spark.sparkContext.parallelize([1], 1).map(
        lambda one: one + float(outer.value[0])
    ).collect()
