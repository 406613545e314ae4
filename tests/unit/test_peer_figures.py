"""The figures of other tuners beside ours: what records give, medians, and the document."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from bench.peering import catalog, document, environments, recording
from bench.peering.figures import Figures, figures_of, medians, percentile, turnarounds
from bench.peering.recording import Recorded

ABOUT = Figures("bus", 2, 10.0)
TRIALS = [
    Recorded(10.0, 11.0, ((10.5, 0.001), (11.0, 0.003)), "a"),
    Recorded(10.5, 12.0, ((12.0, 0.002),), "b"),
    Recorded(11.25, 12.0, ((12.0, 0.004),), "a"),
]


def test_a_run_has_the_figures_of_all_its_workers() -> None:
    found = figures_of(ABOUT, 9.0, TRIALS, waits=True, is_process=False, steps=27)
    assert (3, 2.0, 2.0, 4.0) == (
        found.trials,
        found.reports_per_s,
        found.report_p50_ms,
        found.report_p99_ms,
    )
    assert (250.0, 1.0, 0.01) == (found.turnaround_p50_ms, found.startup_s, found.busy)


def test_what_does_not_wait_for_a_decision_has_no_time_of_a_report() -> None:
    found = figures_of(ABOUT, 9.0, TRIALS, waits=False, is_process=False, steps=27)
    assert (2.0, None) == (found.reports_per_s, found.report_p50_ms)
    assert (
        "no trial began" == figures_of(ABOUT, 9.0, [], waits=True, is_process=False, steps=27).error
    )


def test_trials_that_are_processes_take_the_slot_that_is_free_longest() -> None:
    alone = [one._replace(worker=str(number)) for number, one in enumerate(TRIALS)]
    assert [] == turnarounds(alone, is_process=False)
    assert [0.25] == turnarounds(alone, is_process=True)


def test_percentiles_are_values_that_there_are() -> None:
    assert (2, 3, 3, None) == (
        percentile([3, 1, 2], 0.5),
        percentile([3, 1, 2], 0.99),
        percentile([3], 0.01),
        percentile([], 0.5),
    )


def test_medians_leave_out_what_failed_and_what_is_missing() -> None:
    rates = (1.0, 9.0, 4.0)
    runs = [ABOUT._replace(reports_per_s=rate) for rate in rates]
    failed = Figures("ray", 2, 10.0, error="broke")
    found = medians([*runs, ABOUT._replace(error="broke"), failed])
    assert [(4.0, None, 3), (None, None, 1)] == [
        (one.reports_per_s, one.busy, one.runs) for one in found
    ]
    assert failed is found[1]


def test_what_a_thread_records_is_read_also_where_it_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(recording.FOLDER, str(tmp_path))
    monkeypatch.setattr(recording, "_mine", type("Mine", (), {})())
    monkeypatch.setattr(recording, "_MOST_RECORDS", 16)
    recording.called()
    recording.begin()  # its end is missing
    with recording.trial(), recording.report():
        pass
    call, (killed, whole) = recording.read(tmp_path)
    assert call is not None
    assert call <= killed.begin <= whole.begin <= whole.reports[0][0] <= whole.end
    assert (killed.begin, ()) == (killed.end, killed.reports)
    (path,) = tmp_path.glob("*.records")
    assert 16 * struct.calcsize("dddd") == path.stat().st_size


def test_the_lines_of_a_user_are_those_between_the_marks() -> None:
    source = '''
before
# user begins
def train(x):
    """Train."""

    # a comment
    with record.trial():
        yield x
# user ends
after
'''
    assert 2 == catalog.count_lines(source)
    assert all(
        catalog.user_lines(peer) > 5 and peer.environment in {*catalog.ENVIRONMENTS, catalog.OURS}
        for peer in catalog.PEERS
        if peer.program
    )


def test_the_document_is_made_of_the_medians() -> None:
    runs = [
        Figures("bus", 2, 0.0, 30, reports_per_s=1234.5, turnaround_p50_ms=0.25),
        Figures("optuna", 2, 0.0, 30, reports_per_s=246.9, turnaround_p50_ms=1.0),
        Figures("bus", 2, 10.0, 30, busy=0.987),
        Figures("maggy", 2, 0.0, error="not installed: too old"),
    ]
    machine = {"machine": "2 cores", "python": "3.11", "asha-bus": "1.0"}
    lines = "\n".join(map(json.dumps, [machine, *(one._asdict() for one in runs)]))
    text = document.text_of(lines)
    for expected in (
        "2 cores, Python 3.11",
        "| asha-bus, local | 1,234 | - | - | 0.25 |",
        "| asha-bus, local / Optuna, threads in memory | 5.00 | 4.00 | 1 |",
        "| asha-bus, local | 99% |",
        "* Maggy (maggy 1.1.2): `not installed: too old`",
    ):
        assert expected in text
    assert "{" not in text.replace("{version", "")


def test_each_run_is_compared_with_the_nearest_one_of_ours() -> None:
    keys = ["bus", "optuna", "ray", "bus", "optuna"]
    runs = [Figures(key, 2, 0.0, number) for number, key in enumerate(keys)]
    pairs = document.beside(runs, "bus", "optuna")
    assert [(0, 1), (3, 4)] == [(mine.trials, other.trials) for mine, other in pairs]
    assert [] == document.beside(runs, "mlflow", "optuna")


def test_the_first_error_of_an_installer_is_shown() -> None:
    output = "fine\n  error: subprocess-exited-with-error\n   RuntimeError: too old\nlast"
    assert "RuntimeError: too old" == environments.why_failed(output)
    assert "no output" == environments.why_failed("")
