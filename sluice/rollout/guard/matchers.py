"""The braces behind a metric: which of its series a query is about."""

from __future__ import annotations


def matchers(*written: str, **labels: str) -> str:
    """Return `{agent="qa",namespace="x"}`: labels that equal a value, then what is written out already.

    What is empty has no part in it: an environment that has a Prometheus to itself narrows nothing down.
    """
    equal = (f'{name}="{value}"' for name, value in labels.items())
    return f"{{{','.join((*equal, *filter(None, written)))}}}"
