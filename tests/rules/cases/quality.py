from __future__ import annotations

from tests.rules.series import Case, Series, flat, scored, weight

BASELINE = scored(8.0, arm="baseline")
BENCHMARK = {'sluice_benchmark_score{agent="qa"}': flat(8.03)}
FEW = 0.05


def worse_by(percent: float, **how: float) -> dict[str, str]:
    return {**BASELINE, **scored(8.0 * (1 - percent / 100), **how)}  # type: ignore[arg-type]


def few_worse_by(percent: float) -> Series:
    return {
        **scored(8.0, arm="baseline", per_minute=FEW),
        **scored(8.0 * (1 - percent / 100), per_minute=FEW),
    }


def _drop(alert: str, limit: float) -> Case:
    return Case(
        alert,
        firing={
            "a little worse than the limit": worse_by(limit * 1.04),
            "over a day, where an hour has too few": {
                **scored(8.0, arm="baseline", per_minute=0.2),
                **scored(8.0 * (1 - limit * 1.04 / 100), per_minute=0.2),
            },
        },
        silent={
            "a little better than the limit": worse_by(limit * 0.96),
            "better than the baseline": worse_by(-20),
            "only the candidate is asked": scored(4.0),
        },
        low_traffic={"six answers": few_worse_by(50)},
    )


_CANARY = _drop("SluiceQualityDropCanary", 15)

QUALITY = (
    _drop("SluiceQualityDrop", 10),
    _drop("SluiceQualityDropCritical", 20),
    Case(
        "SluiceQualityDropCanary",
        firing={
            **{name: {**series, **weight(10)} for name, series in _CANARY.firing.items()},
            "at the highest step": {**worse_by(15.6), **weight(95)},
        },
        silent={
            **{name: {**series, **weight(10)} for name, series in _CANARY.silent.items()},
            "everybody is on the candidate": {**worse_by(18), **weight(100)},
            "nobody is": {**worse_by(18), **weight(0)},
        },
        low_traffic={"six answers": {**few_worse_by(50), **weight(10)}},
    ),
    Case(
        "SluiceQualityBelowBenchmark",
        firing={"a little worse than the limit": {**BENCHMARK, **scored(8.03 * (1 - 0.104))}},
        silent={
            "a little better than the limit": {**BENCHMARK, **scored(8.03 * (1 - 0.096))},
            "no benchmark": scored(2.0),
        },
        low_traffic={"six answers": {**BENCHMARK, **scored(4.0, per_minute=FEW)}},
    ),
    Case(
        "SluiceQualityLow",
        firing={"a little below": scored(7.4)},
        silent={"a little above": scored(7.6), "the baseline alone": scored(4.0, arm="baseline")},
        low_traffic={"six answers": scored(4.0, per_minute=FEW)},
    ),
    Case(
        "SluiceQualityMeanLow",
        firing={"one agent pulls it down": {**scored(8.2), **scored(7.6, agent="legal")}},
        silent={"the others make up for one": {**scored(8.6), **scored(7.6, agent="legal")}},
        low_traffic={"six answers": scored(4.0, per_minute=FEW)},
        at_minutes=180,
    ),
    Case(
        "SluiceSpecificityLow",
        firing={"a little below": scored(7.4, dimension="specificity", minutes=600)},
        silent={
            "a little above": scored(7.6, dimension="specificity", minutes=600),
            "another dimension": scored(4.0, dimension="format", minutes=600),
        },
        low_traffic={"nine answers": scored(4.0, dimension="specificity", per_minute=0.015, minutes=600)},
        at_minutes=540,
        every_minutes=5,
    ),
)
