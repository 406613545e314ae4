"""The parts of ``benchmark_search.py``."""
