"""Options that are no UTF-8, such as names of files, and options that look alike."""

from __future__ import annotations

import io
import json
import logging
import os
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from support.plans import plan_for
from support.results import make_result, make_trial

from asha_bus import Result, Space, choice, grid, ordinal, uniform
from asha_bus.formats.journal import Header, read_header
from asha_bus.formats.space_form import describe, space_from
from asha_bus.formats.strict_json import to_json
from asha_bus.monitors.line import last_line
from asha_bus.page.document import run_document
from asha_bus.results.parameters import axes
from asha_bus.results.tables import cell
from asha_bus.testing.simulator import Bench

matplotlib.use("Agg")

#: What Python makes of the name of a file in Latin-1.
FILE = os.fsdecode(b"caf\xe9.csv")
NO_UTF_8 = Space({FILE: grid(1, 2), "file": choice(FILE, "ok"), "net": {FILE: uniform(0, 1)}})

#: Options that a reader could take for each other.
ALIKE = (1, "1", 1.0, True, "True", None, "None", "1.0", "a")


def result_of(space: Space, *points: tuple[float, ...]) -> Result:
    trials = [make_trial(i, params=space.resolve(p), point=p) for i, p in enumerate(points)]
    return make_result(*trials, space=space)


def odd_result() -> Result:
    return result_of(NO_UTF_8, (0, 0, 0.5), (1, 1, 0.25))


def test_a_journal_holds_a_text_that_is_no_utf_8() -> None:
    identity = {"space['file']": repr(FILE), FILE: FILE}
    header = Header(FILE, Bench().settings, describe(NO_UTF_8), identity, "0.1.0")
    found = read_header(header.encode(), "a path")[0]
    assert (FILE, identity) == (found.name, found.identity)
    assert describe(NO_UTF_8) == describe(space_from(found.space))
    assert FILE == space_from(found.space).resolve((0, 0, 0.5))["file"]


@pytest.mark.parametrize(
    "text",
    [
        lambda: repr(NO_UTF_8),
        lambda: NO_UTF_8._repr_html_(),
        lambda: repr(odd_result()),
        lambda: str(odd_result()),
        lambda: odd_result()._repr_html_(),
        lambda: repr(odd_result().by_configuration()),
        lambda: repr(odd_result().by_branch()),
        lambda: last_line(odd_result()),
        lambda: odd_result().explain(0),
        lambda: to_json(run_document(odd_result())),
        lambda: odd_result().to_pandas().to_csv(),
    ],
)
def test_each_text_about_it_is_utf_8(text: Any) -> None:
    assert isinstance(text().encode("utf-8", "strict"), bytes)


def drawn(axes: Any, folder: Path) -> None:
    """Draw the texts of a chart, as for a file."""
    axes.figure.savefig(folder / "chart.png")


def test_files_and_streams_take_it(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    result = odd_result()
    result.to_pandas().to_csv(tmp_path / "trials.csv")
    assert "caf\\udce9.csv" in (tmp_path / "trials.csv").read_text("utf-8")
    assert FILE == result.trials[0].params["file"]  # the value itself is as it was
    result.report(tmp_path / "run.html")
    for axs in result.plot_params():
        drawn(axs, tmp_path)
    drawn(result.plot_history(), tmp_path)


def test_a_repeated_one_is_logged_to_a_strict_stream() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "utf-8", "strict")
    problems: list[logging.LogRecord] = []

    class Handler(logging.StreamHandler[io.TextIOWrapper]):
        def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
            problems.append(record)

    handler = Handler(stream)
    logger = logging.getLogger("asha_bus")
    logger.addHandler(handler)
    try:
        plan_for(lambda **_: 0.0, Space({FILE: grid(FILE, FILE)}))
    finally:
        logger.removeHandler(handler)
    stream.flush()
    assert [] == problems
    assert b"lists 'caf\\udce9.csv' twice" in raw.getvalue()


# --- options that look alike -----------------------------------------------------------


@pytest.mark.parametrize("make", [choice, ordinal, grid])
def test_labels_of_a_chart_tell_them_apart(make: Any) -> None:
    space = Space(x=make(*ALIKE))
    [axis] = axes(space, result_of(space, *((i,) for i in range(len(ALIKE)))).trials)
    labels = ("1", "'1'", "1.0", "True", "'True'", "None", "'None'", "'1.0'", "a")
    assert labels == axis.labels
    assert len(ALIKE) == len(set(axis.numbers))


def test_labels_keep_their_form_if_none_looks_like_another() -> None:
    space = Space(x=choice("a", "it's", True, None, 3))
    [axis] = axes(space, result_of(space, *((i,) for i in range(5))).trials)
    assert ("a", "it's", "True", "None", "3") == axis.labels


def test_numbers_that_are_equal_stand_apart_and_others_on_a_scale() -> None:
    space = Space(x=choice(1, 1.0), y=choice(1, 1, 2.5))
    x, y = axes(space, result_of(space, (0, 0), (1, 2)).trials)
    assert (("1", "1.0"), (0.0, 1.0)) == (x.labels, x.numbers)
    assert (None, (1.0, 2.5)) == (y.labels, y.numbers)


def test_long_texts_that_begin_alike_have_two_labels() -> None:
    space = Space(x=choice("d/" * 500 + "a", "d/" * 500 + "b"))
    [axis] = axes(space, result_of(space, (0,), (1,)).trials)
    assert axis.labels is not None
    assert 2 == len(set(axis.labels))
    assert (0.0, 1.0) == axis.numbers


def test_the_page_tells_them_apart() -> None:
    space = Space(x=choice(*ALIKE), y=choice("a", 2, None), z=choice("1", "2"))
    document = json.loads(
        to_json(run_document(result_of(space, *((i, 1, 0) for i in range(len(ALIKE))))))
    )
    at = document["fields"].index("params")
    shown = [trial[at][0] for trial in document["trials"]]
    assert ["1", "'1'", "1.0", "True", "'True'", "None", "'None'", "'1.0'", "'a'"] == shown
    x, y, z = document["parameters"]
    assert [None if one == "None" else one for one in shown] == x["options"]
    assert (["a", 2, None], ["1", "2"]) == (y["options"], z["options"])
    assert [2, "1"] == document["trials"][0][at][1:]


def test_the_page_tells_none_from_a_missing_value() -> None:
    union = Space(x=choice(None, 8), y=choice("a", "b")) + Space(y=choice("a", "b"))
    document = run_document(result_of(union, (0, 0, 0), (0, 1, 0), (1, 0)))
    at = document["fields"].index("params")
    assert [["None", "a"], [8, "a"], [None, "a"]] == [trial[at] for trial in document["trials"]]


def test_members_of_a_union_that_look_alike_differ() -> None:
    union = Space(model=1) + Space(model="1")
    document = run_document(result_of(union, (0,), (1,)))
    assert ["1", "'1'"] == document["parameters"][0]["options"]


def test_tables_tell_them_apart() -> None:
    shown = [cell(value) for value in ALIKE]
    assert ["1", "'1'", "1.0", "True", "'True'", "None", "'None'", "'1.0'", "a"] == shown
    assert ["0.5", "-2.0", "1e+05", "nan", "inf"] == [
        cell(value) for value in (0.5, -2.0, 1e5, float("nan"), float("inf"))
    ]
    space = Space(x=grid(*ALIKE))
    table = repr(result_of(space, *((i,) for i in range(len(ALIKE)))).by_branch())
    assert len(ALIKE) == len({line.split()[1] for line in table.splitlines()[2:]})
