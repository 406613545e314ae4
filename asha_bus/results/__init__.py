"""What a run came to: its trials, tables, explanations and charts."""
