"""Charts: they return their axes, and draw the result's own numbers."""

from __future__ import annotations

import math
import sys
from typing import Any

import matplotlib
import pytest
from lib.results import EPOCH, simulated
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from support.results import make_result, make_trial

import asha_bus as ab
from asha_bus import InvalidArgument, Result, TrialState
from asha_bus.core.schedulers import Hyperband, SuccessiveHalving

matplotlib.use("Agg")

RUN = simulated(150)
GOING_ON = simulated(150, until=100.0)
PAUSING = simulated(27, scheduler=SuccessiveHalving.classic(27), until=8.0)
PLANS = simulated(21, scheduler=Hyperband.classic(9))
NAMES = ("plot_rungs", "plot_curves", "plot_history")

ODD = (
    make_result(),
    make_result(make_trial(0, metric=None)),
    make_result(make_trial(0, metric=math.nan), make_trial(1, metric=-math.inf)),
    make_result(make_trial(0, TrialState.PENDING, None, start_time=None, end_time=None)),
    make_result(make_trial(0, metric=0.0), make_trial(1, metric=-1.0), mode="max"),
)

#: Metrics that span more than a float can, are the largest and the smallest there are, or alike.
EXTREMES = (
    (-1e308, 1e308),
    (1e308, 1.7e308),
    (1.7e308,),
    (5e-324, 1.7e308),
    (5e-324, 1e-310),
    (-5e-324, 1e308),
    (0.0,),
    (1.0, 1.0000000000000002),
)


def axes_of_mine() -> Any:
    return Figure().add_subplot()


def dots(ax: Any) -> list[tuple[float, float]]:
    """The places of all dots."""
    found = []
    for collection in ax.collections:
        if not isinstance(collection, LineCollection):
            found += [tuple(place) for place in collection.get_offsets().tolist()]
    return sorted(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_made_that_pyplot_shows(name: str) -> None:
    ax = getattr(RUN, name)()
    assert isinstance(ax, Axes)
    (number,) = pyplot.get_fignums()
    assert pyplot.figure(number) is ax.figure
    assert ax.get_title(loc="left").startswith("digits: ")
    assert ax.get_xlabel()
    assert ax.get_ylabel()


@pytest.mark.parametrize("name", [*NAMES, "plot_parallel"])
def test_axes_of_ones_own_leave_pyplot_alone(name: str) -> None:
    ax = axes_of_mine()
    assert ax is getattr(RUN, name)(ax)
    assert [] == pyplot.get_fignums()


@pytest.mark.parametrize("result", [*ODD, GOING_ON, PAUSING, PLANS], ids=range(8))
@pytest.mark.parametrize("name", [*NAMES, "plot_params", "plot_parallel"])
def test_any_run_can_be_drawn(name: str, result: Result) -> None:
    drawn = getattr(result, name)()
    first = drawn if isinstance(drawn, Axes) else drawn[0]
    first.figure.canvas.draw()


@pytest.mark.parametrize("metrics", EXTREMES, ids=str)
@pytest.mark.parametrize("name", ["plot_curves", "plot_history", "plot_params", "plot_parallel"])
def test_any_metrics_can_be_drawn(name: str, metrics: tuple[float, ...]) -> None:
    drawn = getattr(make_result(*(make_trial(i, metric=m) for i, m in enumerate(metrics))), name)()
    first = drawn if isinstance(drawn, Axes) else drawn[0]
    first.figure.canvas.draw()
    if name == "plot_parallel":
        groups: Any = first.collections
        lines = [line for group in groups for line in group.get_segments()]
        assert len(metrics) == len(lines)
        assert len(metrics) == len({line[-1][1] for line in lines})


def test_the_rungs_are_those_of_the_result() -> None:
    ax: Any = RUN.plot_rungs(axes_of_mine())
    entered, went_on = ([bar.get_width() for bar in bars] for bars in ax.containers)
    table = RUN.rung_table()
    assert [row[2] for row in table] == entered
    assert [row[3] for row in table] == went_on
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert [f"rung {number} at {resource:g}" for number, resource, *_ in table] == labels
    assert f"{entered[0]} entered, {went_on[0]} went on" in ax.texts[0].get_text()


def test_rungs_of_plans_show_who_is_to_come_and_who_has_paused() -> None:
    ax: Any = PAUSING.plot_rungs(axes_of_mine())
    shown = [[bar.get_width() for bar in bars] for bars in ax.containers]
    rungs = PAUSING.rungs
    assert [[27, 9, 3, 1], [r.entries for r in rungs], [r.passed for r in rungs]] == shown[:3]
    assert [r.paused for r in rungs] == shown[3]
    assert rungs[0].paused
    words = f"{rungs[0].entries} of 27 entered, {rungs[0].paused} paused, {rungs[0].passed} went on"
    assert words == ax.texts[0].get_text()
    labels = [label.get_text() for label in (PLANS.plot_rungs(axes_of_mine())).get_yticklabels()]
    assert "plan 1, rung 0 at 3" in labels


def test_curves_are_those_of_the_trials() -> None:
    ax: Any = RUN.plot_curves(axes_of_mine())
    drawn = sorted(
        tuple(map(tuple, line.tolist()))
        for collection in ax.collections
        if isinstance(collection, LineCollection)
        for line in collection.get_segments()
    )
    assert sorted(trial.curve for trial in RUN.trials if len(trial.curve) > 1) == drawn
    assert sorted(trial.curve[-1] for trial in RUN.trials if trial.curve) == dots(ax)
    rungs = [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == ":"]
    assert [resource for _, resource, *_ in RUN.rung_table()] == rungs
    assert "log" == ax.get_xscale()


def test_the_history_ends_with_the_best() -> None:
    ax: Any = RUN.plot_history(axes_of_mine())
    minutes = sorted(
        ((trial.end_time - EPOCH) / 60, trial.metric)
        for trial in RUN.trials
        if trial.metric is not None and trial.end_time is not None
    )
    assert [pytest.approx(place) for place in minutes] == dots(ax)
    (line,) = ax.lines
    best = list(line.get_ydata())
    assert RUN.best is not None
    assert RUN.best.metric == best[-1]
    assert sorted(best, reverse=True) == best
    assert "minutes" in ax.get_xlabel()


def test_a_trial_that_did_not_continue_is_shown_when_it_paused() -> None:
    trials = (
        make_trial(0, start_time=0.0, end_time=60.0, pauses=((5.0, 20.0),)),
        make_trial(
            1, TrialState.STOPPED, 0.75, start_time=0.0, end_time=60.0, pauses=((9.0, None),)
        ),
    )
    ax: Any = make_result(*trials).plot_history(axes_of_mine())
    assert [(9.0, 0.75), (60.0, 0.5)] == dots(ax)


@pytest.mark.parametrize("result", [GOING_ON, ODD[4]], ids=["going on", "max"])
def test_the_best_so_far_is_chosen_as_the_result_does(result: Result) -> None:
    best = result.best
    assert best is not None
    ax: Any = result.plot_history(axes_of_mine())
    assert best.metric == ax.lines[0].get_ydata()[-1]


def test_there_is_a_chart_per_parameter() -> None:
    axs = RUN.plot_params()
    assert list(RUN.space.parameters) == [ax.get_xlabel() for ax in axs]
    assert ["log", "linear"] == [ax.get_xscale() for ax in axs[:2]]
    rates = sorted(
        (trial.params["lr"], trial.metric) for trial in RUN.trials if trial.metric is not None
    )
    best = RUN.best
    assert best is not None
    assert sorted([*rates, (best.params["lr"], best.metric)]) == dots(axs[0])
    assert {"relu", "tanh", "gelu"} == {label.get_text() for label in axs[3].get_xticklabels()}


def test_a_run_without_parameters_has_a_note_in_place_of_charts() -> None:
    trial = make_trial(0, params={"x": 3}, point=())
    (ax,) = make_result(trial, space=ab.Space(x=3)).plot_params()
    assert ["no parameter varies"] == [text.get_text() for text in ax.texts]
    assert None is ax.get_legend()


def test_texts_of_the_user_are_no_formulas() -> None:
    bad = "$\\bad$"
    result = ab.launch(
        lambda **params: 1.0,
        {bad: ab.choice(bad, "$x^$"), "a_$1": ab.uniform(0, 1)},
        max_trials=8,
        engine="local",
        workers=1,
        monitor=None,
    )
    result.name = bad
    axs: Any = result.plot_params()
    axs[0].figure.canvas.draw()
    assert {"$\\\\bad$", "$x^$"} == {label.get_text() for label in axs[0].get_xticklabels()}
    assert [bad, "a_$1"] == [ax.get_xlabel() for ax in axs]
    for plot in (
        *(result.plot_rungs, result.plot_curves, result.plot_history),
        result.plot_parallel,
    ):
        ax: Any = plot(axes_of_mine())
        ax.figure.canvas.draw()
        assert bad in ax.get_title(loc="left")


def test_too_few_axes_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="axs: 5 parameters need 5 axes, got 1"):
        RUN.plot_params([axes_of_mine()])


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'asha-bus\[plots\]'"):
        RUN.plot_rungs()


def test_states_are_distinguished_by_colour() -> None:
    from asha_bus.results.plots import COLOURS

    assert set(TrialState) == set(COLOURS)
    assert len(COLOURS) == len(set(COLOURS.values()))


def test_colours_of_many_lines_are_one_collection_a_state() -> None:
    ax: Any = RUN.plot_curves(axes_of_mine())
    lines = [c for c in ax.collections if isinstance(c, LineCollection)]
    assert len({trial.state for trial in RUN.trials}) == len(lines)


def lines_of(ax: Any) -> dict[str, list[list[list[float]]]]:
    """The lines of each named collection, as lists of points."""
    return {
        str(collection.get_label()): [line.tolist() for line in collection.get_segments()]
        for collection in ax.collections
        if isinstance(collection, LineCollection)
    }


def test_parallel_coordinates_are_those_of_the_trials() -> None:
    space = ab.Space(lr=ab.loguniform(1e-4, 1), act=ab.choice("relu", "tanh"))
    made = [
        make_trial(i, metric=metric, resource=9, params={"lr": lr, "act": act})
        for i, (metric, lr, act) in enumerate(
            [
                (0.5, 1e-2, "relu"),
                (0.25, 1e-4, "tanh"),
                (0.75, 1.0, "relu"),
                (math.nan, 1.0, "relu"),
            ]
        )
    ]
    ax: Any = make_result(*made, space=space).plot_parallel(axes_of_mine())
    assert ["lr", "act", "resource", "metric"] == [t.get_text() for t in ax.get_xticklabels()]
    groups = lines_of(ax)
    assert {"best 5 %": 1, "best 50 %": 1, "the others": 1} == {
        k: len(v) for k, v in groups.items()
    }
    heights = [[y for _, y in lines[0]] for lines in groups.values()][::-1]
    # trial 1 is the best one, and the options stand in the order of the ranked trials
    assert [
        [0.0, 0.0, 0.5, 0.0],
        [pytest.approx(0.5), 1.0, 0.5, 0.5],
        [1.0, 1.0, 0.5, 1.0],
    ] == heights
    texts = {text.get_text() for text in ax.texts}
    assert {"0.0001", "0.01", "1", "relu", "tanh", "9", "0.25", "0.5", "0.75"} == texts


def test_a_trial_without_a_value_runs_below_the_axis() -> None:
    space = ab.Space(a=ab.uniform(0, 1)) + ab.Space(b=ab.uniform(0, 1))
    result = ab.launch(
        lambda **params: sum(params.values()), space, max_trials=4, seed=1,
        engine="local", workers=1, monitor=None,
    )  # fmt: skip
    lines = [
        line for some in lines_of(result.plot_parallel(axes_of_mine())).values() for line in some
    ]
    assert 4 == len(lines)
    assert {(True, False), (False, True)} == {(line[0][1] < 0, line[1][1] < 0) for line in lines}


def test_only_some_of_very_many_lines_are_drawn() -> None:
    many = make_result(*(make_trial(i, metric=float(i)) for i in range(5_000)))
    ax: Any = many.plot_parallel(axes_of_mine())
    lines = [line for some in lines_of(ax).values() for line in some]
    assert 2_000 == len(lines)
    assert 0.0 == min(line[-1][1] for line in lines)  # the best one is among them
