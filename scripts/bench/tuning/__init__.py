"""The problems and the tuners that ``bench/search.py`` compares."""
