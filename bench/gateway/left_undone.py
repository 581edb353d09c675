"""What a gateway leaves undone of what follows its answers, so that the next answer is not late."""

from __future__ import annotations

import urllib.request

from prometheus_client.parser import text_string_to_metric_families

_ANSWERS = "answers"


def counted(metrics_port: int | None) -> dict[str, float]:
    """Return what a gateway counted: its answers, and what it dropped of what follows them, by its kind."""
    if metrics_port is None:
        return {}
    with urllib.request.urlopen(f"http://127.0.0.1:{metrics_port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    counts = {_ANSWERS: 0.0}
    for sample in (sample for family in families for sample in family.samples):
        if sample.name == "sluice_requests_total":
            counts[_ANSWERS] += sample.value
        elif sample.name == "sluice_off_path_dropped_total":
            counts[sample.labels["kind"]] = sample.value
    return counts


def left_undone(before: dict[str, float], after: dict[str, float]) -> str:
    """Say what was dropped between two counts, for each hundred answers."""
    passed = {name: after[name] - before[name] for name in after}
    answers = passed.pop(_ANSWERS, 0.0)
    return ", ".join(f"{name} {100 * count / answers:.0f}" for name, count in passed.items() if count) or "nothing"
