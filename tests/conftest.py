"""What all tests share."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings

_COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

#: The same examples in every run: a test that passes passes again.
settings.register_profile("suite", derandomize=True, database=None, max_examples=80, **_COMMON)
#: New examples in every run, and many: HYPOTHESIS_PROFILE=explore, to look for more.
settings.register_profile("explore", max_examples=1_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
