"""What the stories of property tests are made of: trouble of all kinds, and rough objectives."""

from __future__ import annotations

from hypothesis import strategies as st

from asha_bus.testing.simulator import Conditions, Rough


def troubles(crashes: int = 0) -> st.SearchStrategy[Conditions]:
    """Conditions with trouble of each kind, and up to ``crashes`` deaths of the bus."""
    return st.builds(
        Conditions,
        seed=st.integers(0, 2**32),
        workers=st.integers(1, 5),
        loss=st.sampled_from([0.0, 0.1, 0.4]),
        doubled=st.sampled_from([0.0, 0.3]),
        delay_s=st.sampled_from([0.001, 0.3, 3.0]),
        deaths=st.integers(0, 6),
        silences=st.integers(0, 3),
        copies=st.integers(0, 2),
        leaves=st.integers(0, 3),
        false_alarms=st.integers(0, 2),
        crashes=st.integers(0, crashes),
        pauses=st.integers(0, 3),
        bus_pauses=st.integers(0, 2),
        common_pauses=st.integers(0, 2),
    )


OBJECTIVES = st.builds(
    Rough,
    seed=st.integers(0, 2**32),
    fails_every=st.sampled_from([4, None]),
    ends_every=st.sampled_from([5, None]),
    stride=st.sampled_from([1, 1, 5]),
)
