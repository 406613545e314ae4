"""The result of a run: its trials, tables, explanations and charts."""
