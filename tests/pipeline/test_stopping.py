"""A run that ends before all is done, and why."""

import signal
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest

from ah_ray.config import score_settings
from ah_ray.errors import ConfigError
from ah_ray.pipeline.stopping import Bounds, Stop, Stopper, next_time

EVENING = datetime(2026, 1, 2, 22, 30, tzinfo=timezone(timedelta(hours=1)))


def test_the_deadline_is_the_next_such_time():
    assert next_time("23:00", EVENING) == EVENING.replace(hour=23, minute=0)
    assert next_time("06:15", EVENING) == EVENING.replace(day=3, hour=6, minute=15)
    assert next_time("22:30", EVENING) == EVENING.replace(day=3)


def test_bounds():
    bounds = Bounds(deadline=next_time("06:00", EVENING), gpu_hours=1.5)
    assert bounds.find_reached(EVENING, gpu_s=5399) is None
    assert bounds.find_reached(EVENING, gpu_s=5400) == "the budget of 1.5 GPU hours is spent"
    late = EVENING + timedelta(hours=8)
    assert bounds.find_reached(late, gpu_s=0) == "the deadline 06:00 has come"
    assert Bounds().find_reached(late, gpu_s=1e9) is None


@pytest.mark.parametrize("clock", ["24:00", "6", "noon", "06:60"])
def test_no_time_of_day(clock):
    with pytest.raises(ConfigError, match=r"--deadline: give a time of day as HH:MM"):
        score_settings(videos="v", out="o", model="tiny", deadline=clock)


def test_a_thread_stops_the_main_thread_with_its_reason():
    stopper, said = Stopper(), []
    with pytest.raises(Stop, match="the deadline has come"), stopper.listening(said.append):
        threading.Timer(0.05, stopper.ask, ("the deadline has come",)).start()
        time.sleep(5)
    assert said == [
        "Stopping: the deadline has come. What is complete is being written. "
        "Once more to end at once."
    ]


def test_a_signal_is_a_reason_too():
    before = signal.getsignal(signal.SIGTERM)
    stopper = Stopper()
    with pytest.raises(Stop, match="stopped by a signal"), stopper.listening(lambda _: None):
        signal.raise_signal(signal.SIGTERM)
        time.sleep(5)
    assert signal.getsignal(signal.SIGTERM) is before


def test_where_signals_do_not_reach_the_next_look_stops():
    found = []

    def work():
        stopper = Stopper()
        with stopper.listening(lambda _: None):
            stopper.check()
            stopper.ask("enough")
            stopper.ask("more than enough")
            try:
                stopper.check()
            except Stop as stop:
                found.append(str(stop))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["enough"]
