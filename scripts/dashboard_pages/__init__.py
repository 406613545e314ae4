"""What ``dashboards.py`` makes the dashboards of."""
