"""What is public in the modules of the large frameworks is documented."""

from __future__ import annotations

from importlib import import_module

import pytest
from support.documented import undocumented


@pytest.mark.parametrize("name", ["keras", "lightning", "transformers"])
def test_everything_public_is_documented(name: str) -> None:
    assert [] == undocumented(import_module(f"asha_bus.integrations.{name}"))
