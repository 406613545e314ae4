"""The page that shows a run: as one static file, and live."""
