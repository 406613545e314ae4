"""A limit of open files that is too low for the workers is named, with what to do."""

from __future__ import annotations

import pytest

from asha_bus.driver.__main__ import too_few_descriptors


@pytest.mark.parametrize(("workers", "limit"), [(None, 64), (480, 1_024), (20_000, 65_536)])
def test_there_is_no_warning_where_all_can_connect(workers: int | None, limit: int) -> None:
    assert too_few_descriptors(workers, limit) is None


def test_too_low_a_limit_is_named_with_what_to_do() -> None:
    text = too_few_descriptors(10_000, 4_096)
    assert text is not None
    assert "4096 open files" in text
    assert "about 2016 of 10000 workers" in text
    assert "ulimit -Hn" in text
    assert "about 0 of 1 workers" in (too_few_descriptors(1, 10) or "")
