"""The situations that every alert is tried with, in files named after the rules."""

from tests.rules.cases.errors import ERRORS
from tests.rules.cases.latency import LATENCY
from tests.rules.cases.quality import QUALITY
from tests.rules.cases.rollout import ROLLOUT
from tests.rules.cases.service import SERVICE
from tests.rules.cases.spend import SPEND

CASES = {case.alert: case for case in (*QUALITY, *ERRORS, *LATENCY, *SPEND, *ROLLOUT, *SERVICE)}
