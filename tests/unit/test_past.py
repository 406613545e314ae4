"""What came of earlier runs: read from results, and from tables as they come."""

from __future__ import annotations

from io import BytesIO, StringIO
from random import Random
from typing import Any

import pandas
import pytest
from support.results import make_result, make_trial

import asha_bus as ab
from asha_bus.searchers.past import past_trials

UNION = ab.Space(model="svm", C=ab.loguniform(1e-3, 1e3)) + ab.Space(
    model="forest", depth=ab.randint(1, 9), split=ab.choice("best", None)
)
NESTED = ab.Space(
    net={"layers": [ab.randint(1, 9), ab.randint(1, 9)], "act": ab.choice("relu", None)},
    pair=(ab.choice(1, 2), 3),
    flag=ab.choice(True, False, None),
)
N = 12


def result_of(space: ab.Space, repeats: int = 1) -> ab.Result:
    """A run of ``N`` trials, the metric of each being its configuration's number."""
    trials = []
    for number in range(N):
        configuration, repeat = divmod(number, repeats)
        point = space.draw_point(Random(configuration), configuration % space.branches)
        params = space.resolve(point)
        fields: dict[str, Any] = {"point": point, "repeat": repeat}
        fields["metric"] = float(configuration)
        trials.append(make_trial(number, params=params, **fields))
    return make_result(*trials, space=space)


def as_csv(table: pandas.DataFrame) -> pandas.DataFrame:
    return pandas.read_csv(StringIO(table.to_csv()))


def as_parquet(table: pandas.DataFrame) -> pandas.DataFrame:
    file = BytesIO()
    table.to_parquet(file)
    return pandas.read_parquet(file)


def as_nullable(table: pandas.DataFrame) -> pandas.DataFrame:
    return table.convert_dtypes()


@pytest.mark.parametrize("space", [UNION, NESTED], ids=["union", "nested"])
@pytest.mark.parametrize("read", [None, as_csv, as_parquet, as_nullable])
def test_a_table_has_the_configurations_of_its_run(space: ab.Space, read: Any) -> None:
    result = result_of(space)
    table = result.to_pandas()
    past = past_trials(table if read is None else read(table), space)
    assert [pytest.approx(trial.point) for trial in result.trials] == [t.point for t in past]
    assert [str(trial.params) for trial in result.trials][1::2] == [
        str(trial.params) for trial in past
    ][1::2]  # those without floats


@pytest.mark.parametrize("change", ["shuffled", "filtered"])
def test_repeats_keep_together_in_a_table_of_any_order(change: str) -> None:
    table = result_of(ab.Space(x=ab.uniform(0, 1)), repeats=3).to_pandas()
    if change == "shuffled":
        table = table.sample(frac=1, random_state=1)
    else:
        table = table[table.id.isin([1, 2, 4, 6, 8])]
    past = past_trials(table, ab.Space(x=ab.uniform(0, 1)))
    assert list(range(-len(table), 0)) == [trial.id for trial in past]
    by_configuration: dict[int, list[float | None]] = {}
    for trial in past:
        by_configuration.setdefault(trial.configuration, []).append(trial.metric)
    assert all(len(set(metrics)) == 1 for metrics in by_configuration.values())
    counts = {"shuffled": [3, 3, 3, 3], "filtered": [1, 2, 2]}
    assert counts[change] == sorted(map(len, by_configuration.values()))


def test_parameters_of_a_func_are_read_from_the_points_of_a_result() -> None:
    space = ab.Space(a=ab.randint(1, 3), twice=ab.func(lambda x: 2 * x, ab.uniform(0, 1)))
    result = result_of(space)
    assert [t.point for t in result.trials] == [t.point for t in past_trials(result, space)]
    other = ab.Space(a=ab.randint(1, 3), twice=ab.func(lambda x: 3 * x, ab.uniform(0, 1)))
    with pytest.raises(ab.InvalidArgument, match="fits into the space: twice"):
        past_trials(result, other)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("state", "done", "row 1 is not a trial: 'done' is not a valid TrialState"),
        ("metric", "low", "row 1 is not a trial: could not convert string to float"),
        ("repeat", "first", "row 1 is not a trial: invalid literal for int"),
    ],
)
def test_a_row_that_is_no_trial_is_named(column: str, value: Any, words: str) -> None:
    table = result_of(UNION).to_pandas().astype({column: object})
    table.loc[1, column] = value
    with pytest.raises(ab.InvalidArgument, match=words):
        past_trials(table, UNION)


def test_missing_values_of_a_table_get_defaults() -> None:
    table = result_of(UNION).to_pandas().astype({"resource": object, "repeat": object})
    table["resource"] = table["repeat"] = None
    assert {(1.0, 0)} == {(trial.resource, trial.repeat) for trial in past_trials(table, UNION)}
