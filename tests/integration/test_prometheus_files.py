"""The files for Prometheus, as its own tool sees them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lib.prometheus import GRAFANA, RULES, promtool
from support.tools import require_prometheus

DATA = Path(__file__).resolve().parents[1] / "data"


@pytest.fixture(autouse=True)
def tool() -> None:
    require_prometheus()


def test_the_rules_are_valid() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(RULES))


def test_alerts_fire_when_they_should_and_else_they_do_not() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(DATA / "asha_bus_rules_test.yml"))


def test_a_rule_that_is_broken_does_not_pass(tmp_path: Path) -> None:
    test = tmp_path / "tests" / "data" / "asha_bus_rules_test.yml"
    rules = tmp_path / "grafana" / "rules" / "asha_bus.yml"
    for path, source in ((test, DATA / test.name), (rules, RULES)):
        path.parent.mkdir(parents=True)
        shutil.copy(source, path)
    assert "SUCCESS" in promtool("test", "rules", str(test))
    rules.write_text(RULES.read_text().replace("asha_bus_up == 0", "asha_bus_up == 2"))
    with pytest.raises(AssertionError, match="FAILED"):
        promtool("test", "rules", str(test))


def test_the_settings_are_valid(tmp_path: Path) -> None:
    shutil.copytree(GRAFANA, tmp_path / "grafana")
    (tmp_path / "grafana" / "targets.json").write_text('[{"targets": ["127.0.0.1:9464"]}]')
    text = promtool("check", "config", str(tmp_path / "grafana" / "prometheus.yml"))
    assert "is valid prometheus config file syntax" in text
    assert "WARNING" not in text
