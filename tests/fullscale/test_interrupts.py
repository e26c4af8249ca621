"""Signals as requests: noted, not lost between two who note them, and heeded at once the second time."""

import signal

import pytest

from fullscale.interrupts import STOPPING, noted


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_noted_and_what_was_before_comes_back(number: int) -> None:
    before = signal.getsignal(number)
    with noted() as request:
        assert request.signal == 0
        signal.raise_signal(number)
        assert request.signal == number
    assert signal.getsignal(number) == before


def test_whoever_noted_signals_around_it_learns_of_one_too() -> None:
    with noted() as outer:
        with noted() as inner:
            signal.raise_signal(signal.SIGTERM)
        assert (inner.signal, outer.signal) == (signal.SIGTERM, signal.SIGTERM)
        with noted() as later:
            assert later.signal == 0


def test_the_second_signal_does_not_wait() -> None:
    with noted():
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
