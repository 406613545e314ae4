"""What a run came to: the best, the decisions in words, and how it is shown."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any

import pytest
from support.results import SPACE, make_result, make_trial

from asha_bus import InvalidArgument, RungRecord, TrialRecord, TrialState
from asha_bus.core.events import Counters
from asha_bus.core.messages import REJECTED_KINDS
from asha_bus.core.roster import WorkerTime
from asha_bus.core.status import BusFigures
from asha_bus.core.status import status as status_of
from asha_bus.core.trial import TrialRow
from asha_bus.results.records import BusReport
from asha_bus.testing.simulator import Bench

S = TrialState
NAN = math.nan


def entered(
    rung: int, resource: float, metric: float = 0.5, verdict: str = "continue", **fields: Any
) -> RungRecord:
    given = {"n": 1, "keep": 1, "cutoff": metric, **fields}
    return RungRecord(rung, resource, metric, verdict=verdict, **given)


RUNG_0, RUNG_1 = entered(0, 1), entered(1, 3)


@pytest.mark.parametrize(
    ("trials", "mode", "best"),
    [
        # completed ones first, however good the others are
        ([make_trial(0, S.STOPPED, 0.1), make_trial(1, S.COMPLETED, 0.9)], "min", 1),
        ([make_trial(0, metric=0.3), make_trial(1, metric=0.2)], "min", 1),
        ([make_trial(0, metric=0.3), make_trial(1, metric=0.2)], "max", 0),
        # ties go to the earlier
        ([make_trial(0, metric=0.2), make_trial(1, metric=0.2)], "min", 0),
        # a metric that is not finite is never best
        ([make_trial(0, metric=NAN), make_trial(1, metric=0.9)], "min", 1),
        ([make_trial(0, metric=-math.inf), make_trial(1, metric=0.9)], "min", 1),
        ([make_trial(0, metric=math.inf), make_trial(1, metric=0.9)], "max", 1),
        ([make_trial(0, metric=NAN), make_trial(1, S.STOPPED, 0.9)], "min", 1),
        # the last metric counts and not the best one
        ([make_trial(0, metric=0.5, best_metric=0.0), make_trial(1, metric=0.4)], "min", 1),
        # without a completed one, whoever entered the highest rung
        (
            [
                make_trial(0, S.STOPPED, 0.1, RUNG_0),
                make_trial(1, S.STOPPED, 0.9, RUNG_0, RUNG_1),
                make_trial(2, S.CANCELLED, 0.8, RUNG_0, RUNG_1),
            ],
            "min",
            2,
        ),
        ([make_trial(0, S.CANCELLED, 0.3), make_trial(1, S.CANCELLED, 0.2)], "min", 1),
        # a failure is never best
        ([make_trial(0, S.FAILED, 0.1, RUNG_0), make_trial(1, S.STOPPED, 0.9)], "min", 1),
        ([make_trial(0, S.LOST, 0.1, RUNG_0), make_trial(1, S.STOPPED, 0.9)], "min", 1),
    ],
)
def test_the_best_trial(trials: list[TrialRecord], mode: str, best: int) -> None:
    found = make_result(*trials, mode=mode).best
    assert found is not None
    assert best == found.id


@pytest.mark.parametrize(
    ("trials", "why"),
    [
        ([], "none was begun"),
        ([make_trial(0, metric=None)], "the only one reported nothing"),
        ([make_trial(n, metric=NAN) for n in range(12)], "all 12 ended with nan"),
        (
            [make_trial(0, metric=NAN), make_trial(1, S.FAILED, 0.1), make_trial(2, S.LOST)],
            "of 3, 1 ended with nan, 1 failed, 1 got lost",
        ),
    ],
)
def test_there_may_be_no_best(trials: list[TrialRecord], why: str) -> None:
    result = make_result(*trials)
    reason = f"no trial has a usable metric: {why}"
    assert (None, reason) == (result.best, result.best_reason)
    assert f"best: none, since {reason}" in repr(result)
    assert 1 == repr(result).count(reason)
    assert ((reason,) if trials else ()) == result.warnings


@pytest.mark.parametrize(
    ("trial", "reason"),
    [
        (make_trial(0), "the best of the completed trials"),
        (
            make_trial(0, S.STOPPED, 0.5, RUNG_0, RUNG_1),
            "no trial completed; the best of those that entered the rung at 3",
        ),
        (make_trial(0, S.CANCELLED), "no trial completed or entered a rung; the best of all"),
    ],
)
def test_best_reason_says_which_trials_were_compared(trial: TrialRecord, reason: str) -> None:
    assert reason == make_result(trial).best_reason


def test_trials_are_counted_by_state() -> None:
    counts = make_result(make_trial(0), make_trial(1), make_trial(2, S.FAILED)).counts
    assert dict.fromkeys(TrialState, 0) | {S.COMPLETED: 2, S.FAILED: 1} == counts


def rung_of(*metrics: float, bracket: int = 0, mode: str = "min", **last: Any) -> str:
    """The explanation of the last of several trials that entered rung 0 in turn."""
    trials = []
    for number, metric in enumerate(metrics):
        fields = {"n": number + 1, **(last if number == len(metrics) - 1 else {})}
        record = entered(0, 1, metric, **fields)
        trials.append(make_trial(number, S.STOPPED, metric, record, bracket=bracket))
    return make_result(*trials, mode=mode).explain(len(metrics) - 1).splitlines()[0]


def test_the_text_of_a_stop() -> None:
    text = rung_of(0.1, 0.3, 0.2, 0.25, verdict="stop", keep=1, cutoff=0.1)
    assert (
        "rung 0 at resource 1: metric 0.25, rank 3 of 4 here, the best one goes on, "
        "the 1st has 0.1: stopped" == text
    )


def test_the_rank_is_that_at_the_moment_of_the_decision() -> None:
    first = make_trial(0, S.STOPPED, 0.2, entered(0, 1, 0.2, n=2, keep=1, cutoff=0.2))
    earlier = make_trial(1, S.STOPPED, 0.3, entered(0, 1, 0.3, n=1))
    later = make_trial(2, S.STOPPED, 0.1, entered(0, 1, 0.1, n=3, cutoff=0.1))
    assert "rank 1 of 2 here" in make_result(first, earlier, later).explain(0)


def test_the_rank_counts_within_the_bracket_only() -> None:
    other = make_trial(0, S.STOPPED, 0.1, entered(0, 1, 0.1, n=1), bracket=1)
    first = make_trial(1, S.STOPPED, 0.3, entered(0, 1, 0.3, n=1))
    trial = make_trial(2, S.STOPPED, 0.2, entered(0, 1, 0.2, n=2, cutoff=0.2))
    text = make_result(other, first, trial).explain(2)
    assert "bracket 0, rung 0 at resource 1: metric 0.2, rank 1 of 2 here" in text


def test_the_rank_follows_the_mode() -> None:
    assert "rank 1 of 3" in rung_of(0.1, 0.3, 0.4, mode="max", cutoff=0.4)


def test_the_text_of_the_first_entry() -> None:
    assert "rung 0 at resource 1: metric 0.5, the first here: goes on" == rung_of(0.5)


def test_the_text_of_a_metric_that_is_not_finite() -> None:
    text = rung_of(0.1, NAN, verdict="stop", cutoff=0.1)
    assert "rung 0 at resource 1: metric nan is not finite and ranks worst: stopped" == text


def test_the_text_of_a_tie() -> None:
    text = rung_of(0.5, 0.5, verdict="stop", cutoff=0.5)
    assert "the 1st has 0.5 (equal metrics are ordered by lot): stopped" in text


def test_the_text_of_a_quorum() -> None:
    assert "the 1st has 0.1, but the rung is within its quorum: goes on" in rung_of(
        0.1, 0.5, cutoff=0.1
    )


def test_a_rung_without_a_number_has_no_cutoff_to_tell() -> None:
    text = rung_of(NAN, 0.5, cutoff=None)
    assert "metric 0.5, rank 1 of 2 here, the best one goes on: goes on" in text


@pytest.mark.parametrize(
    ("keep", "ordinal"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th")]
    + [(21, "21st"), (102, "102nd"), (111, "111th"), (113, "113th"), (123, "123rd")],
)
def test_places_are_ordinals(keep: int, ordinal: str) -> None:
    assert f"the {ordinal} has 0.1" in rung_of(0.1, 0.2, keep=keep, cutoff=0.1)


@pytest.mark.parametrize(
    ("trial", "ending"),
    [
        (make_trial(0, resource=81), "trial 0 ended COMPLETED at resource 81 with metric 0.5"),
        (
            make_trial(0, S.CANCELLED, None, resource=0, attempts=2),
            "trial 0 ended CANCELLED at resource 0, in attempt 2",
        ),
        (
            make_trial(0, S.FAILED, None, resource=0, error="Traceback ...\nValueError: no\n"),
            "trial 0 ended FAILED at resource 0: ValueError: no",
        ),
        (
            make_trial(0, S.RUNNING, 0.3, resource=9, end_time=None, attempts=2),
            "trial 0 is RUNNING at resource 9 with metric 0.3, in attempt 2",
        ),
        (
            make_trial(0, S.RUNNING, None, resource=0, end_time=None),
            "trial 0 is RUNNING at resource 0",
        ),
        (
            make_trial(0, S.PENDING, None, resource=0, attempts=0, worker=None, end_time=None),
            "trial 0 is PENDING: it waits for a worker",
        ),
        (
            make_trial(0, S.PENDING, 0.3, resource=9, end_time=None),
            "trial 0 is PENDING: it waits for a worker, to be restarted",
        ),
    ],
)
def test_the_last_line_says_how_the_trial_ended_or_stands(trial: TrialRecord, ending: str) -> None:
    assert ending == make_result(trial).explain(0).splitlines()[-1]


@pytest.mark.parametrize("number", [-1, 2, "0", None])
def test_only_a_trial_that_is_there_can_be_explained(number: Any) -> None:
    with pytest.raises(
        InvalidArgument, match=f"there is no trial {number!r}; this run has 2, count"
    ):
        make_result(make_trial(0), make_trial(1)).explain(number)


def test_the_rungs_are_summed_up_over_brackets() -> None:
    result = make_result(
        make_trial(0, S.STOPPED, 0.5, RUNG_0, entered(1, 3, verdict="stop")),
        make_trial(1, S.STOPPED, 0.5, entered(1, 3), bracket=1),
        make_trial(2, S.STOPPED, 0.5, entered(0, 1, verdict="stop")),
    )
    assert [(0, 1, 2, 1), (1, 3, 2, 1)] == result.rung_table()


def test_a_result_reads_well() -> None:
    result = make_result(
        make_trial(0, S.COMPLETED, 0.25, RUNG_0, resource=9),
        make_trial(1, S.STOPPED, 0.5, entered(0, 1, verdict="stop")),
    )
    assert (
        "Result of my-run: 2 trials in 12.3 s, ended by max_trials\n"
        "  1 COMPLETED, 1 STOPPED\n"
        "  best: trial 0, metric 0.25 at resource 9, params {'x': 0.0}\n"
        "  rung 0 at 1: 2 entered, 1 went on" == repr(result)
    )


def test_a_result_has_the_message_of_its_end() -> None:
    assert "ended by failed (the session is gone)" in repr(
        make_result(reason="failed", message="the session is gone")
    )


def test_html_shows_the_leading_trials_and_escapes_what_users_wrote() -> None:
    trials = [
        make_trial(0, S.STOPPED, 0.1, RUNG_0),
        make_trial(1, params={"x": "<script>alert('&')</script>"}, metric=0.9),
        make_trial(2, metric=NAN),
        make_trial(3, metric=0.8),
    ]
    html = make_result(*trials)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert" in html
    assert "the first 3 of 4 trials by metric" in html
    rows = html.partition("<tbody>")[2]
    assert [3, 1, 0] == [int(row.partition("<td>")[2][0]) for row in rows.split("<tr>")[1:]]


def test_the_first_trial_shown_is_the_best_one() -> None:
    result = make_result(
        make_trial(0, S.FAILED, 0.1),
        make_trial(1, S.STOPPED, 0.2, RUNG_0),
        make_trial(2, S.RUNNING, 0.1),
        make_trial(3, S.STOPPED, 0.2, RUNG_0),
    )
    assert result.best is result.trials[1]
    rows = result._repr_html_().partition("<tbody>")[2]
    assert [1, 3, 2] == [int(row.partition("<td>")[2][0]) for row in rows.split("<tr>")[1:]]


def test_html_shows_some_trials_only() -> None:
    html = make_result(*(make_trial(number) for number in range(50)))._repr_html_()
    assert 10 == html.partition("<tbody>")[2].count("<tr>")


def test_to_pandas_has_a_row_per_trial() -> None:
    option = object()
    frame = make_result(
        make_trial(0, params={"x": 0.5, "o": option}, metric=0.25, extras={"acc": 0.9}),
        make_trial(1, S.CANCELLED, None, RUNG_0, params={"x": 0.1, "o": [1]}, end_time=None),
    ).to_pandas()
    assert [0, 1] == list(frame["id"])
    assert ["COMPLETED", "CANCELLED"] == list(frame["state"])
    assert [0.5, 0.1] == list(frame["params.x"])
    assert option is frame["params.o"][0]
    assert 0.25 == frame["metric"][0]
    assert [0, 1] == list(frame["rungs"])
    assert 0.9 == frame["extras.acc"][0]
    assert "1970-01-01 00:00:01+00:00" == str(frame["end_time"][0])
    assert [False, True] == list(frame["end_time"].isna())


def test_to_pandas_converts_times_by_column(monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one, those of 100,000 trials took most of 23 seconds."""
    import pandas

    calls = []
    convert = pandas.to_datetime

    def to_datetime(values: Any, **settings: Any) -> Any:
        calls.append(values)
        return convert(values, **settings)

    monkeypatch.setattr(pandas, "to_datetime", to_datetime)
    frame = make_result(*(make_trial(number) for number in range(50))).to_pandas()
    assert 2 == len(calls)
    assert ["datetime64[ns, UTC]"] * 2 == [
        str(frame[f"{end}_time"].dtype) for end in ("start", "end")
    ]


def test_to_pandas_has_what_only_some_trials_have() -> None:
    frame = make_result(
        make_trial(0, params={"x": 0.5, "pair": (1, 2)}, extras={"a": 1}),
        make_trial(1, params={"x": 0.1, "y": "b"}, extras={"b": "c"}),
    ).to_pandas()
    assert ["params.x", "params.pair", "params.y"] == [n for n in frame if n.startswith("params")]
    assert [(1, 2), None] == list(frame["params.pair"])
    assert [None, "b"] == list(frame["params.y"])
    assert [1.0, True] == [frame["extras.a"][0], bool(frame["extras.a"].isna()[1])]
    assert [True, False] == list(frame["extras.b"].isna())
    assert 0 == len(make_result().to_pandas())


def test_to_pandas_has_a_limited_number_of_extras() -> None:
    many = [make_trial(i, extras={f"e{i}_{j}": j for j in range(64)}) for i in range(9)]
    names = [name for name in make_result(*many).to_pandas() if name.startswith("extras.")]
    assert (200, "extras.e0_0", "extras.e3_7") == (len(names), names[0], names[-1])


def test_to_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="needs pandas: pip install pandas"):
        make_result(make_trial(0)).to_pandas()


def test_a_row_of_the_bus_becomes_a_record() -> None:
    rung = (0, 1, 0.5, 1, 1, 0.5, "continue")
    row = (
        3,
        (0.25,),
        9,
        1,
        "STOPPED",
        2,
        "w",
        0.5,
        0.4,
        1,
        {"a": 1},
        None,
        [rung],
        5.0,
        6.0,
        1,
        5.5,
        0.5,
        [5.25, 5.5, 5.75],
        [("lr", "{}", 0.5)],
    )
    expected = make_trial(
        3,
        S.STOPPED,
        0.5,
        RungRecord(*rung),
        params={"x": 0.25},
        point=(0.25,),
        seed=9,
        bracket=1,
        attempts=2,
        best_metric=0.4,
        resource=1,
        extras={"a": 1},
        start_time=5.0,
        end_time=6.0,
        attempt_time=5.5,
        repeat=1,
        best_resource=0.5,
        pauses=((5.25, 5.5), (5.75, None)),
        named=(("lr", "{}", 0.5),),
    )
    assert 2 == expected.configuration
    assert expected == TrialRecord.from_row(TrialRow.from_plain(row), SPACE)


def test_the_bus_report_is_made_of_its_last_status() -> None:
    others = {"unauthenticated": 7, "unsent": 10, "unreachable": 20}
    bus = BusFigures(
        router_cpu_s=0.1,
        process_cpu_s=0.2,
        rejected={**dict.fromkeys(REJECTED_KINDS, 1), **others},
    )
    status = replace(
        status_of(Bench().experiment, 0.0, bus),
        counters=Counters(
            reports=9,
            decisions=4,
            requeued=1,
            failed_attempts=8,
            fenced=2,
            retried=3,
            suggest_waits=5,
            fallbacks=6,
        ),
        busy=WorkerTime(1.0, 50.0),
        joined=2,
    )
    report = BusReport.from_status(status)
    assert (len(REJECTED_KINDS), 7, 30) == (
        report.rejected,
        report.unauthenticated,
        report.unsent,
    )
    assert (9, 4, 0.98, 2) == (report.reports, report.decisions, report.busy_share, report.workers)
    assert math.isnan(report.latency_p50_s)
    assert math.isnan(BusReport.from_status(replace(status, busy=WorkerTime(0.0, 0.0))).busy_share)
