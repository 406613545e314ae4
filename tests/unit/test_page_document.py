"""A run as plain data for the page: strict JSON, compact, with the result's own numbers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from lib.results import QUIET_BUS, SPACE, simulated
from support.results import make_result, make_trial

from asha_bus import RungRecord, Space, TrialRecord, TrialState, choice, uniform
from asha_bus.core.schedulers import Hyperband, SuccessiveHalving
from asha_bus.formats.strict_json import to_json
from asha_bus.page import document as pages
from asha_bus.page.html import page_html
from asha_bus.page.report import report_document

NAN, INF = math.nan, math.inf


def strict(value: Any) -> Any:
    """``value`` written and read as strict JSON."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(to_json(value), parse_constant=refuse)


def fields_of(trial: TrialRecord, space: Space = SPACE, **arguments: Any) -> dict[str, Any]:
    row = strict(pages.trial_document(trial, space, **arguments))
    return dict(zip(pages.TRIAL_FIELDS, row, strict=True))


class Colour(Enum):
    RED = 1


class Whole(int, Enum):
    ONE = 1


class Rude:
    def __repr__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (0.25, 0.25),
        (NAN, "NaN"),
        (-INF, "-Infinity"),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (-(10**30), "-1" + "0" * 30),
        (np.float32(0.5), 0.5),
        (np.int64(7), 7),
        (Fraction(1, 4), 0.25),
        (Fraction(10**400), repr(Fraction(10**400))[:200] + "..."),
        ("a" * 300, "a" * 200 + "..."),
        ((1, (2, NAN)), [1, [2, "NaN"]]),
        ({"a": [None]}, {"a": [None]}),
        ({1: 2}, "{1: 2}"),
        (list(range(1_000)), repr(list(range(1_000)))[:200] + "..."),
        (b"x", "b'x'"),
        (math.sqrt, "<built-in function sqrt>"),
        (Colour.RED, "<Colour.RED: 1>"),
        (Whole.ONE, "<Whole.ONE: 1>"),
        (Rude(), "<Rude whose repr raised ValueError>"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_parameter_is_plain_data(value: Any, expected: Any) -> None:
    assert expected == strict(pages.plain(value))


def test_endless_nesting_is_cut() -> None:
    nested: Any = "deep"
    for _ in range(100):
        nested = [nested]
    assert len(to_json(pages.plain(nested))) < 300


def test_a_trial_has_its_own_numbers() -> None:
    rungs = RungRecord(0, 1, 0.5, 4, 1, 0.25, "continue"), RungRecord(1, 3, NAN, 1, 1, None, "stop")
    trial = make_trial(
        *(3, TrialState.STOPPED, NAN, *rungs),
        best_metric=0.5,
        best_resource=1,
        extras={"accuracy": INF},
        start_time=10.12345,
        end_time=None,
        pauses=((11.5, 12.25), (13.0, None)),
    )
    assert {
        "id": 3,
        "state": "STOPPED",
        "params": [0.3],
        "metric": "NaN",
        "best_metric": 0.5,
        "best_resource": 1,
        "resource": 3,
        "attempts": 1,
        "worker": "w",
        "start": 10.123,
        "end": None,
        "pauses": [[11.5, 12.25], [13.0, None]],
        "bracket": 0,
        "rungs": [
            [0, 1, 0.5, 4, 1, 0.25, "continue"],
            [1, 3, "NaN", 1, 1, None, "stop"],
        ],
        "curve": None,
        "error": None,
        "extras": {"accuracy": "Infinity"},
    } == fields_of(trial, Space(x=uniform(0, 1)))


def test_parameters_stand_in_the_order_of_the_space() -> None:
    space = Space(net={"units": choice(8, 16), "act": "relu"}, lrs=[uniform(0, 1), 0.5], seed=3)
    params = space.resolve((1, 0.25))
    result = make_result(make_trial(0, params=params), space=space)
    run = strict(pages.run_document(result))
    assert ["net.units", "lrs[0]"] == [parameter["name"] for parameter in run["parameters"]]
    assert [16, 0.25] == run["trials"][0][pages.TRIAL_FIELDS.index("params")]
    assert {"seed": 3} == run["constants"]
    assert {"name": "net.units", "kind": "choice", "options": [8, 16]} == run["parameters"][0]
    assert {"name": "lrs[0]", "kind": "uniform", "range": [0, 1]} == run["parameters"][1]


class Curved(TrialRecord):
    """A trial with reports between its rungs."""

    @property
    def curve(self) -> tuple[tuple[float, float], ...]:
        return tuple((float(i), 1 / i) for i in range(1, 1_001))


def test_a_curve_is_thinned_and_says_nothing_twice() -> None:
    plain = make_trial(0, TrialState.STOPPED, 0.5, RungRecord(0, 1, 1.0, 1, 1, 1.0, "continue"))
    fields = {name: getattr(plain, name) for name in plain.__dataclass_fields__}
    trial = Curved(**{**fields, "resource": 1_000})
    curve = fields_of(trial, Space(x=uniform(0, 1)), points=50)["curve"]
    resources = curve[::2]
    assert 40 <= len(resources) <= 50
    assert not {1, 1_000} & set(resources)
    assert curve[1::2] == [float(f"{1 / r:.6g}") for r in resources]


def test_a_long_error_is_cut_in_its_middle() -> None:
    error = fields_of(make_trial(0, error="a" * 5_000 + "z" * 5_000), Space(x=uniform(0, 1)))[
        "error"
    ]
    assert len(error) < 2_100
    assert error.startswith("a" * 1_000)
    assert error.endswith("z" * 1_000)
    assert "8,000 characters left out" in error


def test_the_summary_has_the_numbers_of_the_result() -> None:
    result = simulated(200)
    summary = strict(pages.summary_document(result, workers=3, now=2e9))
    best = result.best
    assert best is not None
    assert (best.id, result.best_reason) == (summary["best"], summary["best_reason"])
    assert {str(state): count for state, count in result.counts.items()} == summary["states"]
    assert (3, 2e9, 200) == (summary["workers"], summary["now"], summary["trials"])
    assert [list(row) for row in result.rung_table()] == [rung[:4] for rung in summary["rungs"]]
    for number, _, entered, _, cutoffs in summary["rungs"]:
        records = [r for trial in result.trials for r in trial.rungs if r.rung == number]
        last = next(record for record in records if record.n == entered)
        assert [[0, last.cutoff]] == cutoffs


def test_cutoffs_are_shown_by_bracket() -> None:
    trials = [
        make_trial(i, TrialState.STOPPED, 0.5, record, bracket=bracket)
        for i, (bracket, record) in enumerate(
            [
                (0, RungRecord(1, 3, 0.5, 1, 1, 0.5, "continue")),
                (1, RungRecord(1, 3, 0.4, 1, 1, 0.4, "continue")),
                (0, RungRecord(1, 3, 0.3, 2, 1, 0.3, "continue")),
            ]
        )
    ]
    assert [[0, 0.3], [1, 0.4]] == pages.summary_document(make_result(*trials))["rungs"][0][4]


def test_rungs_of_plans_are_shown_one_by_one() -> None:
    result = simulated(21, scheduler=Hyperband.classic(9))
    rows = strict(pages.summary_document(result))["rungs"]
    assert [[0, 1], [1, 3], [2, 9], [0, 3], [1, 9], [0, 9]] == [row[:2] for row in rows]
    assert [0, 0, 0, 1, 1, 2] == [row[7] for row in rows]
    assert [False, False, True, False, True, True] == [row[8] for row in rows]
    assert [row[2] for row in rows] == [row[6] for row in rows]


def test_a_paused_rung_is_shown() -> None:
    result = simulated(27, scheduler=SuccessiveHalving.classic(27), until=8.0)
    summary = strict(pages.summary_document(result))
    first = summary["rungs"][0]
    assert (result.rungs[0].paused, 27, None, False) == tuple(first[5:])
    assert result.rungs[0].paused
    assert result.counts[TrialState.PAUSED] == summary["states"]["PAUSED"] > 0


def test_figures_of_residents_are_plain() -> None:
    bus = replace(QUIET_BUS, residents={"w": 3}, promotion_wait_max_s=2.5)
    found = strict(pages.summary_document(make_result(bus=bus)))["bus"]
    assert 2.5 == found["promotion_wait_max_s"]
    assert "residents" not in found


def test_the_run_shows_its_settings_and_versions() -> None:
    run = strict(pages.run_document(simulated(5)))
    assert "ASHA(max_resource=243, " in run["configuration"]["scheduler"]
    assert 5 == run["configuration"]["max_trials"]
    assert {"asha-bus", "Python", "pyzmq"} <= set(run["versions"])
    assert "scheduler" not in pages.run_document(make_result())["configuration"]


def test_an_empty_run_is_a_document() -> None:
    run = strict(report_document(make_result(seed=2**70)))
    assert ([], None, str(2**70)) == (run["trials"], run["summary"]["best"], run["seed"])


def test_a_report_of_a_thousand_trials_is_small() -> None:
    result = simulated(1_000)
    assert (5, 5) == (len(result.space.parameters), len(result.rung_table()))
    assert len(to_json(report_document(result))) < 1_000_000


def test_each_decision_is_explained_as_the_result_explains_it() -> None:
    result = simulated(300)
    told = report_document(result)["explain"]
    assert [result.explain(number) for number in range(300)] == told


EVIL = "</script><script>alert(1)</script><!--\u2028\u2029\ud800{{style}}"


def test_nothing_in_a_run_can_leave_its_script() -> None:
    space = Space({EVIL: choice(EVIL)})
    trial = make_trial(0, params={EVIL: EVIL}, error=EVIL, worker=EVIL, extras={EVIL: EVIL})
    page = page_html(EVIL, report_document(make_result(trial, name=EVIL, space=space)))
    shell = page_html("", None)
    for mark in ("</script", "<script", "<!--", "\u2028", "\ud800"):
        assert shell.count(mark) == page.count(mark), mark
    data = page.partition('id="run-data">')[2].partition("</script>")[0]
    assert EVIL == json.loads(data)["name"]


def test_the_page_asks_for_nothing_from_elsewhere() -> None:
    page = page_html("x", None)
    assert "default-src 'none'" in page
    assert "MIT License" in page  # of uPlot, which asks to go with every copy
    for attribute in ("src=", "@import", "url("):
        assert attribute not in page.replace("default-src", "")


def test_a_number_that_is_not_finite_becomes_null_wherever_it_slips_through() -> None:
    value = {"a": [NAN, (INF, 1.5)], "b": {"c": -INF, "d": "NaN"}, "e": True, "f": 2**70}
    expected = {"a": [None, [None, 1.5]], "b": {"c": None, "d": "NaN"}, "e": True, "f": 2**70}
    assert expected == strict(value)
