"""How fast it is, and what it costs, beside what others take."""
