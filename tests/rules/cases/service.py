from __future__ import annotations

from tests.rules.series import MINUTES, Case, Series, age, answers, flat, rising, weight

DAY = 1440
QUIET = answers(rising((0, 200)))
THERE = {"sluice_requests_in_flight": flat(0)}
HEARTBEAT = "sluice_guard_heartbeat_timestamp_seconds"


def store(up: int) -> Series:
    return {"sluice_store_up": flat(up)}


def certificate(days: float) -> Series:
    return {'sluice_certificate_expires_timestamp_seconds{name="gateway-tls"}': age(-days * 86400)}


def no_certificate(pod: str = "gateway-1") -> Series:
    return {
        f'sluice_certificate_expires_timestamp_seconds{{name="gateway-tls", pod="{pod}"}}': " ".join(["NaN"] * MINUTES)
    }


def key(days: float) -> Series:
    return {'sluice_key_rotated_timestamp_seconds{key="mistral-api-key"}': age(days * 86400)}


def asked(last_week: float, yesterday: float, now: float = 0) -> Series:
    """So many requests every two hours: until four days ago, then until two hours and a half ago, then now."""
    return answers(rising((last_week / 120, 5 * DAY), (yesterday / 120, 4 * DAY - 170), (now / 120, 400)))


SERVICE = (
    Case(
        "SluiceGatewayAbsent",
        firing={"nothing is scraped": {}},
        silent={"a pod is scraped": THERE},
        low_traffic={"a pod without a request": {**THERE, **QUIET}},
        fires_without=frozenset({"sluice_requests_in_flight"}),
    ),
    Case(
        "SluiceGuardAbsent",
        firing={
            "silent for a little too long": {HEARTBEAT: age(315), **weight(10)},
            "never there": weight(10),
        },
        silent={
            "heard a little while ago": {HEARTBEAT: age(285), **weight(10)},
            "nobody to guard": {HEARTBEAT: age(900), **weight(0)},
        },
        low_traffic={"without a request": {HEARTBEAT: age(315), **weight(10), **QUIET}},
        low_traffic_fires=True,
        fires_without=frozenset({HEARTBEAT}),
    ),
    Case(
        "SluiceNoTraffic",
        firing={
            "as many yesterday and last week": asked(21, 21),
            "an agent that is new": answers(f"_x{6 * DAY} " + rising((21 / 120, 3 * DAY - 170), (0, 400))),
        },
        silent={
            "a request now and then": asked(21, 21, 2),
            "fewer last week": asked(19, 21),
        },
        low_traffic={"fewer yesterday": asked(21, 19)},
        at_minutes=9 * DAY,
        every_minutes=5,
    ),
    Case(
        "SluiceStoreDown",
        firing={"one pod has lost it": store(0)},
        silent={"it answers": store(1)},
        low_traffic={"without a request": {**store(0), **QUIET}},
        low_traffic_fires=True,
    ),
    Case(
        "SluiceCertificateExpires",
        firing={"soon": certificate(13.5)},
        silent={"later": certificate(14.5)},
        low_traffic={"without a request": {**certificate(13.5), **QUIET}},
        low_traffic_fires=True,
    ),
    Case(
        "SluiceCertificateMissing",
        firing={
            "no pod reads it": no_certificate(),
            "neither of two": {**no_certificate(), **no_certificate("gateway-2")},
        },
        silent={
            "it is there, and ends soon": certificate(1),
            "another pod reads it": {**no_certificate("gateway-2"), **certificate(60)},
        },
        low_traffic={"without a request": {**no_certificate(), **QUIET}},
        low_traffic_fires=True,
    ),
    Case(
        "SluiceKeyOld",
        firing={"a little too old": key(92)},
        silent={"not yet": key(88)},
        low_traffic={"without a request": {**key(92), **QUIET}},
        low_traffic_fires=True,
    ),
)
