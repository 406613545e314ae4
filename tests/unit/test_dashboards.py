"""The dashboards, the settings beside them, and the command that writes them."""

from __future__ import annotations

import json
import re
import stat
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lib.prometheus import DASHBOARDS, GRAFANA, RULES, asked_by, panels

import asha_bus as ab
from asha_bus import cli
from asha_bus.driver.metrics import METRICS
from asha_bus.grafana import files

PAGES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS}
PANELS = [
    pytest.param(panel, id=f"{name}-{panel['title']}")
    for name, page in PAGES.items()
    for panel in panels(page)
]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

#: Names of the samples of each metric.
SAMPLES = {
    sample: metric
    for metric in METRICS
    for sample in (
        metric.name,
        *(f"{metric.name}_{part}" for part in ("bucket", "sum", "count")),
    )
}


def metrics_in(text: str) -> set[str]:
    """The metrics that ``text`` asks for; fails where there is no such metric."""
    return {SAMPLES[name].name for name in re.findall(r"\basha_bus_\w+", text)}


def test_the_files_are_what_the_script_makes() -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="needs Python 3.11 or later")
    from generate import dashboards

    assert 0 == dashboards.main(["--check"])
    assert {path.name for path in DASHBOARDS} == set(dashboards.PAGES)


def test_a_file_that_differs_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="needs Python 3.11 or later")
    from generate import dashboards

    monkeypatch.setattr(dashboards, "FOLDER", tmp_path / "dashboards")
    assert 1 == dashboards.main(["--check"])
    assert 0 == dashboards.main([])
    assert 0 == dashboards.main(["--check"])
    (tmp_path / "dashboards" / "bus.json").write_text("{}")
    capsys.readouterr()
    assert 1 == dashboards.main(["--check"])
    assert "bus.json is not what scripts/generate/dashboards.py makes" in capsys.readouterr().err


def test_addresses_of_dashboards_never_change() -> None:
    expected = {name: f"asha-bus-{name}" for name in ("bus", "rungs", "runs", "workers")}
    assert expected == {name: page["uid"] for name, page in PAGES.items()}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_dashboard_has_variables_links_and_marks(page: dict[str, Any]) -> None:
    source, run = page["templating"]["list"]
    assert ("datasource", "prometheus") == (source["name"], source["query"])
    assert ("run", True, True, ".+") == (
        run["name"],
        run["multi"],
        run["includeAll"],
        run["allValue"],
    )
    assert ["run"] == re.findall(r"label_values\(asha_bus_run_info, (\w+)\)", run["query"])
    (link,) = page["links"]
    assert (page["tags"], True, True) == (link["tags"], link["includeVars"], link["keepTime"])
    names = [annotation["name"] for annotation in page["annotations"]["list"]]
    assert ["Bus restarts", "Run ends"] == names
    assert ("5s", "browser") == (page["refresh"], page["timezone"])


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None
    assert SOURCE == panel["datasource"]
    for target in panel["targets"]:
        assert SOURCE == target["datasource"]
        assert 'run=~"$run"' in target["expr"]


@pytest.mark.parametrize("panel", PANELS)
def test_a_legend_names_labels_that_its_series_have(panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        kept = re.findall(r"\bby \(([^)]*)\)", target["expr"])
        labels = set.intersection(*(set(found.split(", ")) for found in kept))
        if target["format"] == "time_series":
            named = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            # a rung and its resource tell the bracket, and a quantile takes all buckets
            assert labels - {"bracket", "le"} == named


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_panels_fill_their_rows(page: dict[str, Any]) -> None:
    taken = [
        (x, y)
        for panel in page["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert sorted(set(taken)) == sorted(taken)  # none lies over another
    height = max(y for _, y in taken) + 1
    assert 24 * height == len(taken)


def test_every_metric_is_shown_and_no_other() -> None:
    shown = set().union(*(metrics_in(e.text) for path in DASHBOARDS for e in asked_by(path)))
    assert {metric.name for metric in METRICS} == shown


def test_rules_name_metrics_that_there_are() -> None:
    assert len(metrics_in(RULES.read_text(encoding="utf-8"))) > 5


def test_a_table_names_every_column() -> None:
    (table,) = (panel for panel in panels(PAGES["runs"]) if panel["type"] == "table")
    merge, organize = table["transformations"]
    assert ("merge", "organize") == (merge["id"], organize["id"])
    options = organize["options"]
    values = {f"Value #{target['refId']}" for target in table["targets"]}
    assert values <= set(options["renameByName"]) | set(options["excludeByName"])
    assert sorted(options["indexByName"].values()) == list(range(len(options["renameByName"])))


@pytest.mark.parametrize("name", ["compose.yaml", "compose.host.yaml"])
def test_containers_are_of_one_version_and_listen_at_loopback(name: str) -> None:
    text = (GRAFANA / name).read_text(encoding="utf-8")
    tags = re.findall(r"image: (prom/prometheus|grafana/grafana):v?(\d+\.\d+\.\d+)$", text, re.M)
    assert ["prom/prometheus", "grafana/grafana"] == [image for image, _ in tags]
    assert all(port.startswith("127.0.0.1:") for port in re.findall(r'ports: \["([^"]*)', text))
    for path in re.findall(r"- \./(\w+):", text):
        assert (GRAFANA / path).is_dir()
    assert text.count("network_mode: host") in (0, 2)
    assert text.count("ports:") + text.count("network_mode: host") == 2


def test_both_compose_files_set_the_same() -> None:
    files = [(GRAFANA / name).read_text() for name in ("compose.yaml", "compose.host.yaml")]
    first, second = (set(re.findall(r"^ +(?:image|GF_\w+): .*$", text, re.M)) for text in files)
    assert {"GF_SERVER_HTTP_ADDR"} == {line.split(":")[0].strip() for line in first ^ second}


# --- the command -------------------------------------------------------------


def written(folder: Path) -> dict[str, bytes]:
    """The files in ``folder`` by their place in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_command_writes_all_files_and_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "a" / "b"
    assert 0 == cli.main(["dashboard", str(folder)])
    files = written(folder)
    kept = {
        str(path.relative_to(GRAFANA)): path.read_bytes()
        for path in GRAFANA.rglob("*")
        if path.suffix in (".json", ".md", ".yml", ".yaml")
    }
    assert kept == files
    assert "README.md" in files
    said = capsys.readouterr().out
    assert all(str(folder / name) in said for name in files)
    assert f"cd {folder} && docker compose up" in said
    assert f"prometheus --config.file={folder / 'prometheus.yml'} " in said
    assert all(stat.S_IMODE((folder / name).stat().st_mode) == 0o644 for name in files)
    for below, above in pairwise([folder / "rules", folder, folder.parent]):
        assert below.parent == above
        assert 0o755 == stat.S_IMODE(below.stat().st_mode)


def test_files_that_differ_are_kept_unless_forced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == cli.main(["dashboard", str(tmp_path)])
    original = written(tmp_path)
    assert 0 == cli.main(["dashboard", str(tmp_path)])  # the same again is fine
    mine = tmp_path / "prometheus.yml"
    mine.write_text("mine")
    (tmp_path / "compose.yaml").unlink()
    capsys.readouterr()
    assert 2 == cli.main(["dashboard", str(tmp_path)])
    said = capsys.readouterr().err
    assert f"asha-bus: {mine}: exists with other content" in said
    assert "--force" in said
    assert "mine" == mine.read_text()
    assert not (tmp_path / "compose.yaml").exists()  # all or nothing
    assert 0 == cli.main(["dashboard", str(tmp_path), "--force"])
    assert original == written(tmp_path)


def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert 2 == cli.main(["dashboard", str(tmp_path / "file")])
    assert f"asha-bus: {tmp_path / 'file'}: cannot be written" in capsys.readouterr().err
    with pytest.raises(ab.InvalidArgument, match="/proc/asha-bus: cannot be written"):
        files.write("/proc/asha-bus")
