"""Moves each agent up its ladder and takes it back down, by the evidence there is.

`judge` is the heart: a pure function from a `Case` to a `Verdict`. `record_of` keeps what it was made from. Whoever
asks a cluster brings a way to it (`cluster.Cluster`), a person's kubeconfig or a pod's own token: so the same code
serves the command at a shell and the guard in its pod.
"""

from __future__ import annotations

from sluice.rollout.case import Case, NoCandidate, RolledBack, Standing, case_of
from sluice.rollout.gates import GATES_VERSION, judge
from sluice.rollout.measurements import (
    SCORE_EDGES,
    SECONDS_EDGES,
    ArmCounts,
    Histogram,
    Measurements,
    Newest,
    Period,
    Recent,
    Users,
)
from sluice.rollout.record import Record, UnreadableRecord, read, record_of, replay, written
from sluice.rollout.verdict import Action, Gate, Number, Reason, Verdict

__all__ = [
    "GATES_VERSION",
    "SCORE_EDGES",
    "SECONDS_EDGES",
    "Action",
    "ArmCounts",
    "Case",
    "Gate",
    "Histogram",
    "Measurements",
    "Newest",
    "NoCandidate",
    "Number",
    "Period",
    "Reason",
    "Recent",
    "Record",
    "RolledBack",
    "Standing",
    "UnreadableRecord",
    "Users",
    "Verdict",
    "case_of",
    "judge",
    "read",
    "record_of",
    "replay",
    "written",
]
