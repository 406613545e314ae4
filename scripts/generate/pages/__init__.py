"""What ``generate/dashboards.py`` makes the dashboards of."""
