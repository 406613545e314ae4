"""A decision's round trip beside a bare echo; the same as ``asha-bus load-test``."""

from __future__ import annotations

import argparse

from asha_bus.cli import add_load_test_arguments, load_test

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)  # with --smoke for a short try
    add_load_test_arguments(parser)
    load_test(parser.parse_args())
