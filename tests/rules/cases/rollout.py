from __future__ import annotations

from tests.rules.series import Case, Series, age, answers, flat, rising, weight

QUIET = answers(rising((0, 200)))
ACTIVE = {'sluice_override_active{agent="qa"}': flat(1)}
LIFTED = {'sluice_override_active{agent="qa"}': flat(0)}


def wanted(values: str) -> dict[str, str]:
    return {'sluice_rollout_weight{agent="qa", kind="wanted"}': values}


def broken(flags: int, override: int) -> Series:
    return {"sluice_flags_broken": flat(flags), "sluice_override_broken": flat(override)}


def pending(number: float) -> Series:
    return {'sluice_review_pending{agent="qa"}': flat(number, 400)}


ROLLOUT = (
    Case(
        "SluiceOverrideActive",
        firing={"set": ACTIVE},
        silent={"lifted": LIFTED},
        low_traffic={"without a request": {**ACTIVE, **QUIET}},
        low_traffic_fires=True,
    ),
    Case(
        "SluiceOverrideNotServed",
        firing={"one pod has not heard of it": {**weight(25), **weight(0, "allowed", "gateway-2")}},
        silent={
            "both serve what is allowed": {**weight(0), **weight(0, "allowed", "gateway-2")},
            "git wants less than is allowed": {**weight(10), **weight(100, "allowed", "gateway-2")},
        },
        low_traffic={"without a request": {**weight(25), **weight(0, "allowed", "gateway-2"), **QUIET}},
        low_traffic_fires=True,
    ),
    Case(
        "SluiceWeightNotServed",
        firing={
            "one pod lags": {**weight(25, "wanted"), **weight(25), **weight(10, "served", "gateway-2"), **LIFTED},
        },
        silent={
            "all serve it": {**weight(25, "wanted"), **weight(25), **weight(25, "served", "gateway-2"), **LIFTED},
            "an override says so": {**weight(25, "wanted"), **weight(0), **ACTIVE},
        },
        low_traffic={"without a request": {**weight(25, "wanted"), **weight(10), **LIFTED, **QUIET}},
        low_traffic_fires=True,
        fires_without=frozenset({"sluice_override_active"}),
    ),
    Case(
        "SluicePlannedStep",
        firing={"ten minutes ago": wanted(f"{flat(10, 109)} {flat(25, 60)}")},
        silent={
            "an hour ago": wanted(f"{flat(10, 59)} {flat(25, 100)}"),
            "never": wanted(flat(10)),
        },
        low_traffic={"without a request": {**wanted(f"{flat(10, 109)} {flat(25, 60)}"), **QUIET}},
        low_traffic_fires=True,
    ),
    Case(
        "SluiceFlagsStale",
        firing={
            "a little too long ago": {"sluice_cluster_heard_timestamp_seconds": age(630)},
            "never": {"sluice_cluster_heard_timestamp_seconds": flat(0)},
        },
        silent={"a little while ago": {"sluice_cluster_heard_timestamp_seconds": age(570)}},
        low_traffic={"without a request": {"sluice_cluster_heard_timestamp_seconds": age(630), **QUIET}},
        low_traffic_fires=True,
    ),
    Case(
        "SluiceFlagsBroken",
        firing={"flags": broken(1, 0), "override": broken(0, 1)},
        silent={"neither": broken(0, 0)},
        low_traffic={"without a request": {**broken(1, 0), **QUIET}},
        low_traffic_fires=True,
        fires_without=frozenset({"sluice_override_broken"}),
    ),
    Case(
        "SluiceReviewBacklog",
        firing={"a few more": pending(52)},
        silent={"a few less": pending(48)},
        low_traffic={"one": pending(1)},
        at_minutes=300,
    ),
)
