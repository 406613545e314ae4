#!/usr/bin/env python3
"""A decision's round trip beside a bare echo: see ``--help``, and asha_bus/bench/load_test.py."""

from __future__ import annotations

import argparse

from asha_bus.cli import add_load_test_arguments, load_test

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)  # with --smoke for a short try
    add_load_test_arguments(parser)
    load_test(parser.parse_args())
