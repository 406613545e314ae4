"""The load test, the echo that it is compared with, and the demo."""
