"""Names, values and errors are text on the page, in the report and in a notebook."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from support.results import make_result, make_trial

from asha_bus.core.space import Space, choice
from asha_bus.core.trial import TrialState
from asha_bus.formats.strict_json import to_json
from asha_bus.page.html import page_html
from asha_bus.results.result import Result

EVIL = "</script><img src=x onerror=alert(1)><!--'\"&"


class Evil:
    def __repr__(self) -> str:
        return EVIL


def evil() -> Result:
    failed: dict[str, Any] = {"error": EVIL, "worker": EVIL, "point": (0,)}
    completed: dict[str, Any] = {"extras": {EVIL: EVIL}, "point": (1,)}
    return make_result(
        make_trial(0, TrialState.FAILED, None, params={EVIL: Evil()}, **failed),
        make_trial(1, TrialState.COMPLETED, 0.5, params={EVIL: EVIL}, **completed),
        space=Space({EVIL: choice(Evil(), EVIL)}),
        name=EVIL,
    )


def test_a_notebook_shows_text() -> None:
    shown = evil()._repr_html_()
    assert "<img" not in shown
    assert "</script" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown


def test_the_page_has_no_tag_of_a_name() -> None:
    page = page_html(EVIL)
    assert "<img src=x" not in page
    assert page_html("name").count("<script") == page.count("<script")
    assert page_html("name").count("</script") == page.count("</script")


def test_the_report_has_no_tag_of_its_data(tmp_path: Path) -> None:
    text = evil().report(tmp_path / "evil.html").read_text(encoding="utf-8")
    plain = make_result(name="name").report(tmp_path / "plain.html").read_text(encoding="utf-8")
    assert not re.search("<img src=x", text)
    for tag in ("<script", "</script", "<!--"):
        assert plain.count(tag) == text.count(tag)


def test_an_event_of_the_page_is_one_line_whatever_it_holds() -> None:
    for breaking in ("\n", "\r", "\r\n\r\nevent: end"):
        assert 1 == len(to_json({EVIL + breaking: [breaking]}).splitlines())
