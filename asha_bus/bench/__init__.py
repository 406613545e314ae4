"""Measurements and demonstrations: the load test, the bare echo beside it, the demo."""
