"""The scenarios of ``faults/kill.py``."""
