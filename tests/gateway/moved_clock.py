"""The gateway with a time of day that is off by as many seconds as a file says.

What a set clock changes is the time of day and nothing else: the loop, the breaker and every time-out run by the
monotonic clock, which nobody can set.
"""

from __future__ import annotations

DAY = 24 * 3600.0

WITH_A_CLOCK_OF_ITS_OWN = """
import datetime, runpy, sys, time
offset, true, true_ns = open(sys.argv[1], "a+"), time.time, time.time_ns

def seconds():
    offset.seek(0)
    return float(offset.read() or 0)

class Moved(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(time.time(), tz)

time.time = lambda: true() + seconds()
time.time_ns = lambda: true_ns() + int(seconds() * 1e9)
datetime.datetime = Moved
sys.argv[1:] = []
runpy.run_module("sluice.gateway", run_name="__main__")
"""
"""For `python -c`, with the file's path as its argument."""
