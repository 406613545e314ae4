"""What ``fault_test.py`` and ``soak.py`` are made of."""
