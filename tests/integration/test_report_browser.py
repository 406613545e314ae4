"""The report in Chromium, opened as a file: it shows the result's own numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lib.browser import Watched
from lib.results import simulated
from support.results import make_result, make_trial

from asha_bus import RungRecord, Space, TrialState, choice, uniform
from asha_bus.core.failures import Repeated
from asha_bus.core.schedulers import ASHA, Hyperband

RUN = simulated(300, seed=1)  # no other metric is near its best one
BEST: Any = RUN.best


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return RUN.report(tmp_path_factory.mktemp("report") / "run.html").as_uri()


@pytest.fixture
def opened(browser: Any, report: str) -> Iterator[Watched]:
    watched = Watched(browser)
    watched.page.goto(report)
    watched.page.locator("#trials").scroll_into_view_if_needed()
    watched.wait("document.querySelectorAll('#body tr[data-id]').length > 5")
    yield watched
    watched.close()
    assert [report] == watched.requests
    assert [] == watched.complaints


def shown(value: float) -> float:
    """``value`` as far as six digits tell it."""
    return float(f"{value:.6g}")


def test_the_head_shows_states_and_the_best(opened: Watched) -> None:
    assert "digits" == opened.text("#name")
    assert "ended by max_trials" == opened.text("#status")
    states = {f"{state} {count}" for state, count in RUN.counts.items() if count}
    assert states == set(opened.texts("#states li"))
    figures = dict(zip(opened.texts("#figures dt"), opened.texts("#figures dd"), strict=True))
    assert (str(BEST.id), "300 of 300") == (figures["best trial"].split()[-1], figures["trials"])
    assert shown(BEST.metric) == float(figures["best metric"])


EXTRAS = make_result(
    make_trial(0, metric=0.5, extras={"accuracy": 0.75, "note": "good"}),
    make_trial(1, metric=0.25, extras={"accuracy": math.nan}),
    make_trial(2, metric=0.75, extras={f"more {number}": number for number in range(40)}),
)


def test_extras_are_columns_of_the_table(browser: Any, tmp_path: Path) -> None:
    watched = Watched(browser)
    watched.page.goto(EXTRAS.report(tmp_path / "run.html").as_uri())
    watched.page.locator("#trials").scroll_into_view_if_needed()
    watched.wait("document.querySelectorAll('#body tr[data-id]').length === 3")
    heads = [text for text in watched.texts("#heads th") if text.startswith("extras.")]
    assert ["extras.accuracy", "extras.note", "extras.more 0"] == heads[:3]
    assert 16 == len(heads)
    assert ["1", "0", "2"] == watched.column("id")
    assert ["NaN", "0.75", "-"] == watched.column("extras.accuracy")
    assert ["-", "good", "-"] == watched.column("extras.note")
    watched.page.fill("#filter", "extras.accuracy>0.5")
    watched.wait("byId('shown').textContent.startsWith('1 of')")
    assert ["0"] == watched.column("id")
    assert [] == watched.complaints
    watched.close()


def test_a_bar_is_broken_where_its_trial_paused(browser: Any, tmp_path: Path) -> None:
    trials = (
        make_trial(0, start_time=10.0, end_time=19.0, pauses=((12.0, 15.0), (16.0, 18.0))),
        make_trial(1, TrialState.STOPPED, start_time=12.0, end_time=19.0, pauses=((15.0, None),)),
        make_trial(2, start_time=17.0, end_time=17.5),
    )
    watched = Watched(browser)
    watched.page.goto(make_result(*trials).report(tmp_path / "run.html").as_uri())
    watched.page.locator("#timeline").scroll_into_view_if_needed()
    watched.wait("drawn.get('timeline') === run.version")
    found = watched.page.evaluate("run.trials.map((t) => stretches(t, run.summary.now))")
    assert [[[10, 12], [15, 16], [18, 19]], [[12, 15]], [[17, 17.5]]] == found
    assert "A bar is broken where its trial paused." in watched.text("#timeline-note")
    # a trial that paused is not found where another one ran
    asked = """(time) => {
        const view = views.get("timeline");
        const chart = view.chart;
        const at = (chart.py(0) + chart.py(1)) / 2;
        const trial = view.at(chart.px(time / view.seconds), at, chart);
        return trial === null ? null : trial.id;
    }"""
    assert [0, 1, 0, None, 2, 0] == [
        watched.page.evaluate(asked, time) for time in (1, 3, 5.5, 6.5, 7.25, 8.5)
    ]
    assert [] == watched.complaints
    watched.close()


def test_the_rungs_are_those_of_the_result(opened: Watched) -> None:
    opened.page.locator("#rungs").scroll_into_view_if_needed()
    rows = [text.split() for text in opened.texts("#rungs-rows tr")]
    for row, (number, resource, entered, passed) in zip(rows, RUN.rung_table(), strict=True):
        assert [str(number), f"{resource:g}", str(entered), str(passed)] == row[:4]


def test_the_first_row_is_the_best(opened: Watched) -> None:
    assert str(BEST.id) == opened.column("id")[0]
    assert "1" == opened.column("place")[0]
    assert "300 of 300 trials" == opened.text("#shown")


def test_terms_and_comparisons_filter(opened: Watched) -> None:
    opened.page.fill("#filter", "act=relu lr<0.01 resource>=3")
    wanted = [
        trial
        for trial in RUN.trials
        if trial.params["act"] == "relu" and trial.params["lr"] < 0.01 and trial.resource >= 3
    ]
    assert len(wanted) > 3
    assert f"{len(wanted)} of 300 trials" == opened.text("#shown")
    assert {str(trial.id) for trial in wanted} >= set(opened.column("id"))
    opened.page.fill("#filter", "no such word")
    assert ("0 of 300 trials", []) == (opened.text("#shown"), opened.rows())


def test_states_filter(opened: Watched) -> None:
    opened.page.click("#state-filters button:has-text('FAILED')")
    failed = [trial.id for trial in RUN.trials if trial.state is TrialState.FAILED]
    assert sorted(map(str, failed)) == sorted(opened.column("id"))
    assert {"FAILED"} == set(opened.column("state"))
    assert "true" == opened.page.get_attribute(
        "#state-filters button:has-text('FAILED')", "aria-pressed"
    )


def test_columns_sort(opened: Watched) -> None:
    opened.page.click("#heads button:text-is('lr')")
    rates = sorted(trial.params["lr"] for trial in RUN.trials)
    found = [float(text) for text in opened.column("lr")]
    assert [shown(rate) for rate in rates[: len(found)]] == found
    opened.page.click("#heads button:has-text('lr')")
    found = [float(text) for text in opened.column("lr")]
    assert [shown(rate) for rate in rates[::-1][: len(found)]] == found
    assert "descending" == opened.page.get_attribute("#heads th:has-text('lr')", "aria-sort")


def test_values_that_are_not_numbers_sort_last_both_ways(opened: Watched) -> None:
    for _ in range(2):
        opened.page.click("#heads button:has-text('metric')")
        assert "-" not in opened.column("metric")


def test_a_click_shows_all_of_a_trial(opened: Watched) -> None:
    stopped = next(trial for trial in RUN.trials if len(trial.rungs) == 2)
    opened.page.fill("#filter", f"id={stopped.id}")
    opened.page.click("#body tr[data-id]")
    assert RUN.explain(stopped.id).split("\n") == opened.texts("#detail .explain li")
    detail = opened.text("#detail")
    assert f"Trial {stopped.id}" in detail
    assert f"act {stopped.params['act']}" in detail
    assert "true" == opened.page.get_attribute("#body tr[data-id]", "aria-selected")
    opened.page.click("#detail button")
    assert "" == opened.page.inner_text("#detail")


def test_an_error_is_shown(opened: Watched) -> None:
    opened.page.fill("#filter", "failed")
    opened.page.click("#body tr[data-id]")
    assert "ValueError: loss is not a number" in opened.text("#detail pre")


def test_keys_move_and_choose(opened: Watched) -> None:
    ids = opened.column("id")
    opened.page.focus("#body tr[data-id]")
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "Enter"):
        opened.page.keyboard.press(key)
    assert f"Trial {ids[1]}" == opened.text("#detail h3 >> nth=0")
    opened.page.keyboard.press("End")
    last = opened.page.evaluate("document.activeElement.getAttribute('aria-rowindex')")
    assert "301" == last


def test_the_heads_are_one_stop_of_the_keyboard(opened: Watched) -> None:
    opened.page.focus("#state-filters button >> nth=-1")
    for key in ("Tab", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        opened.page.keyboard.press(key)
    assert "ascending" == opened.page.get_attribute("#heads th:has-text('metric')", "aria-sort")
    opened.page.keyboard.press("Tab")  # to the rows
    assert "2" == opened.page.evaluate("document.activeElement.getAttribute('aria-rowindex')")
    opened.page.keyboard.press("ArrowUp")
    assert "metric" in opened.page.evaluate("document.activeElement.textContent")
    opened.page.keyboard.press("ArrowDown")
    assert "2" == opened.page.evaluate("document.activeElement.getAttribute('aria-rowindex')")


def test_scrolling_shows_every_trial_with_few_rows(opened: Watched) -> None:
    seen = set()
    for top in range(0, 300 * 29, 300):
        opened.page.evaluate(f"byId('rows').scrollTop = {top}")
        opened.page.evaluate("new Promise(requestAnimationFrame)")
        rows = opened.column("id")
        assert len(rows) < 60
        seen |= set(rows)
    assert {str(trial.id) for trial in RUN.trials} == seen


def test_every_view_is_drawn(opened: Watched) -> None:
    for name in ("rungs", "curves", "history", "timeline", "parallel"):
        opened.page.locator(f"#{name}").scroll_into_view_if_needed()
        opened.wait(f"drawn.has('{name}')")
    for chart in ("curves-chart", "history-chart", "timeline-chart"):
        assert 1 == opened.page.locator(f"#{chart} canvas").count()
        assert is_drawn(opened, f"#{chart} canvas")
    assert is_drawn(opened, "#parallel-chart")
    opened.page.locator("#configuration").scroll_into_view_if_needed()
    opened.wait("drawn.has('configuration')")
    assert "lr" == opened.texts("#importance-rows th")[0]
    assert "ASHA(max_resource=243" in opened.text("#configuration-rows")


def is_drawn(opened: Watched, selector: str) -> bool:
    """Whether some of the pixels of a canvas differ from others."""
    colours: int = opened.page.eval_on_selector(
        selector,
        "c => new Set(new Uint32Array("
        "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size",
    )
    return colours > 5


def test_the_charts_have_the_numbers_of_the_result(opened: Watched) -> None:
    points = opened.page.evaluate("run.trials.map((t) => t.points)")
    curves = [[x for point in trial.curve for x in point] for trial in RUN.trials]
    assert curves == points
    steps = opened.page.evaluate("run.bestSoFar().map((step) => step[1])")
    assert BEST.metric == steps[-1]
    assert sorted(steps, reverse=True) == steps


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("curves", "chart.px(trial.resource), chart.py(trial.metric)"),
        ("history", "chart.px(run.endOf(trial) / view.seconds), chart.py(trial.metric)"),
        (
            "timeline",
            "chart.px(run.endOf(trial) / view.seconds) - 2, "
            "chart.py(view.rows.get(trial.worker) + 0.5)",
        ),
    ],
)
def test_a_point_of_a_chart_leads_to_its_trial(opened: Watched, name: str, place: str) -> None:
    opened.page.locator(f"#{name}").scroll_into_view_if_needed()
    opened.wait(f"drawn.has('{name}')")
    x, y = opened.page.evaluate(
        f"""() => {{
          const view = views.get("{name}"), chart = view.chart, trial = run.byId.get({BEST.id});
          const box = chart.plot.over.getBoundingClientRect(), inside = chart.plot.bbox;
          const [x, y] = [{place}];
          return [
            box.left + (x - inside.left) / devicePixelRatio,
            box.top + (y - inside.top) / devicePixelRatio];
        }}"""
    )
    opened.page.mouse.move(x, y)
    opened.wait("!byId('tip').hidden")
    assert f"trial {BEST.id} · COMPLETED" in opened.text("#tip")
    opened.page.mouse.click(x, y)
    assert f"Trial {BEST.id}" == opened.text("#detail h3 >> nth=0")


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)]
)
def test_it_fits_any_screen(browser: Any, report: str, scheme: str, width: int) -> None:
    watched = Watched(browser, color_scheme=scheme, viewport={"width": width, "height": 800})
    watched.page.goto(report)
    watched.wait("document.querySelectorAll('#rungs-rows tr').length > 0")
    assert width == watched.page.evaluate("document.documentElement.scrollWidth")
    back = watched.page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, back.removeprefix("rgb(").rstrip(")").split(",")))
    assert (scheme == "dark") == (brightness < 300)
    watched.close()
    assert [] == watched.complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(browser: Any, report: str, scheme: str) -> None:
    watched = Watched(browser, color_scheme=scheme)
    watched.page.goto(report)
    values = watched.page.evaluate(
        "['text', 'muted', 'accent', 'card', 'back', 'chosen'].map(n => [n, colours.get(n)])"
    )
    watched.close()
    found = {name: luminance(value) for name, value in values}
    for front, behind in [
        *(("text", back) for back in ("card", "back", "chosen")),
        *(("muted", back) for back in ("card", "back")),
        *(("accent", back) for back in ("card", "back")),
    ]:
        light, dark = sorted((found[front], found[behind]), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{front} on {behind}"


def luminance(colour: str) -> float:
    """The relative luminance of ``#rrggbb``, as the WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_many_long_names_fit_a_phone(browser: Any, tmp_path: Path) -> None:
    names = [f"model.encoder.attention_dropout_probability_{i}" for i in range(30)]
    space = Space({name: uniform(0, 1) for name in names})
    trials = [
        make_trial(i, metric=float(i), params=dict.fromkeys(names, i * 7 % 40 / 40))
        for i in range(40)
    ]
    result = make_result(*trials, space=space, name="a-run-of-many-parameters" * 3)
    watched = Watched(browser, viewport={"width": 390, "height": 800})
    watched.page.goto(result.report(tmp_path / "run.html").as_uri())
    for name in ("parallel", "trials", "importance", "configuration"):
        watched.page.locator(f"#{name}").scroll_into_view_if_needed()
        watched.wait(f"drawn.has('{name}')")
        assert 390 == watched.page.evaluate("document.documentElement.scrollWidth"), name
    assert names[-1] in watched.text("#importance-rows")
    watched.close()
    assert [] == watched.complaints


@pytest.mark.parametrize(
    "scheduler", [Hyperband.classic(9), ASHA(81, brackets=3)], ids=["plans", "brackets"]
)
def test_a_phone_shows_all_columns_of_the_rungs(
    browser: Any, tmp_path: Path, scheduler: Any
) -> None:
    result = simulated(21, scheduler=scheduler)
    watched = Watched(browser, viewport={"width": 390, "height": 800})
    watched.page.goto(result.report(tmp_path / "run.html").as_uri())
    watched.wait("drawn.has('rungs')")
    widths = watched.page.evaluate(
        "[byId('rungs-table').offsetWidth, byId('rungs-table').parentElement.clientWidth]"
    )
    assert widths[0] <= widths[1]
    watched.close()


def test_the_rungs_of_plans_show_who_is_to_come_and_who_has_paused(
    browser: Any, tmp_path: Path
) -> None:
    result = simulated(21, scheduler=Hyperband.classic(9), until=8.0)
    assert result.counts[TrialState.PAUSED]
    watched = Watched(browser)
    watched.page.goto(result.report(tmp_path / "run.html").as_uri())
    watched.page.locator("#rungs").scroll_into_view_if_needed()
    watched.wait("drawn.has('rungs')")
    rows = [" ".join(text.split()) for text in watched.texts("#rungs-rows tr")]
    for row, rung in zip(rows, result.rungs, strict=True):
        assert row.startswith(
            f"plan {rung.bracket}, {rung.rung} {rung.resource:g} {rung.entries} of {rung.expected} "
            f"{rung.passed}{' kept' if rung.is_last else ''}"
        )
    paused = watched.texts("#rungs-rows td.pauses")
    assert [str(rung.paused) for rung in result.rungs] == paused
    assert f"PAUSED {result.counts[TrialState.PAUSED]}" in watched.texts("#states li")
    watched.page.locator("#curves").scroll_into_view_if_needed()
    watched.wait("drawn.has('curves')")
    watched.close()
    assert [] == watched.complaints


def test_odd_runs_are_shown(browser: Any, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)></script>"
    space = Space(x=choice(evil, None, (1, 2)))
    odd = make_result(
        make_trial(0, TrialState.COMPLETED, math.nan, params={"x": evil}, worker=evil),
        make_trial(
            *(1, TrialState.STOPPED, -math.inf),
            RungRecord(0, 1, -math.inf, 1, 1, None, "stop"),
            params={"x": None},
        ),
        make_trial(
            *(2, TrialState.PENDING, None),
            params={"x": (1, 2)},
            worker=None,
            start_time=None,
            end_time=None,
            error=evil,
        ),
        space=space,
        name=evil,
        trial_warnings=[Repeated(0, evil, 2)],
    )
    for number, result in enumerate((odd, make_result())):
        watched = Watched(browser)
        watched.page.goto(result.report(tmp_path / f"{number}.html").as_uri())
        watched.page.locator("#configuration").scroll_into_view_if_needed()
        watched.page.locator("#trials").scroll_into_view_if_needed()
        watched.wait("drawn.has('trials')")
        assert result.name == watched.text("#name")
        figures = watched.text("#figures")
        assert 1 == figures.count("no trial has a usable metric")
        assert (f"trial 0: {evil} (1 more like this)" in figures) == (result is odd)
        assert len(result.trials) == len(watched.rows())
        if result.trials:
            assert {evil, "None", "[1,2]"} == set(watched.column("x"))
            assert {"NaN", "-inf", "-"} == set(watched.column("metric"))
        watched.close()
        assert (1, []) == (len(watched.requests), watched.complaints)


@pytest.mark.parametrize(
    "metrics",
    [(-1e308, 1e308), (1.7e308,), (5e-324, 1e-310), (5e-324, 1e308), (1.0, 1.0000000000000002)],
    ids=str,
)
def test_any_metrics_are_drawn(browser: Any, tmp_path: Path, metrics: tuple[float, ...]) -> None:
    trials = [
        make_trial(i, metric=m, resource=4, reports=((1, m), (2, m))) for i, m in enumerate(metrics)
    ]
    watched = Watched(browser, viewport={"width": 1280, "height": 2600})
    watched.page.goto(make_result(*trials).report(tmp_path / "run.html").as_uri())
    for name in ("curves", "history"):
        watched.wait(f"drawn.get('{name}') === run.version")
        places = watched.page.evaluate(
            f"run.trials.map((t) => views.get('{name}').chart.py(t.metric))"
        )
        assert all(isinstance(place, float | int) and 0 < place < 2_000 for place in places)
    watched.wait("drawn.get('parallel') === run.version")
    places = watched.page.evaluate("views.get('parallel').axes.at(-1).places")
    assert sorted(places) == ([0, 1] if len(metrics) > 1 else [0.5])
    watched.close()
    assert [] == watched.complaints
