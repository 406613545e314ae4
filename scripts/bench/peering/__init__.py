"""Parts of ``bench/peers``: programs for other tuners, what they record, and the document."""
