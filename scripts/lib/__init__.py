"""What the other folders and the tests share."""

from pathlib import Path

#: The root of the repository.
ROOT = Path(__file__).resolve().parents[2]
