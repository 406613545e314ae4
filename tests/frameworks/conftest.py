"""What the frameworks need before they are imported."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"
