"""The HTML page of a run: as a static file, and live."""
