"""Pseudo-random numbers as a pure function of whole numbers, for seeds and tie-breaking."""

from __future__ import annotations

_MASK = (1 << 64) - 1


def mix(*numbers: int) -> int:
    """A pseudo-random 64-bit number that depends only on ``numbers``."""
    state = 0
    for number in numbers:
        state = mix_in(state, number)
    return state


def mix_in(state: int, number: int) -> int:
    """The next state of `mix`, with one more number.

    This is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable
    pseudorandom number generators", OOPSLA 2014). It is a bijection: from one state, two
    different 64-bit numbers never give the same result.
    """
    state = (state + number + 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)
