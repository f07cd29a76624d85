"""A signal to end is noted, not obeyed at once; who ignores it goes on."""

from __future__ import annotations

import os
import signal

import pytest

from iic.engine.interrupts import InterruptFlag


@pytest.mark.parametrize("number", InterruptFlag.SIGNALS)
def test_a_signal_is_noted_and_its_handler_comes_back(number: signal.Signals) -> None:
    # under nohup, say, a signal is ignored from the start
    inherited = signal.signal(number, signal.default_int_handler)
    try:
        with InterruptFlag() as flag:
            assert flag.name is None
            os.kill(os.getpid(), number)
            assert flag.name == number.name
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, inherited)


def test_the_end_of_a_terminal_is_a_signal_to_end() -> None:
    assert signal.SIGHUP in InterruptFlag.SIGNALS


def test_under_nohup_the_run_goes_on() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with InterruptFlag() as flag:
            os.kill(os.getpid(), signal.SIGHUP)
            assert flag.name is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
