"""One of several guards holds the lease, and what a clock, a kill or an API server that is away does to that."""

from __future__ import annotations

from sluice.rollout.guard.lease import DEADLINE_SECONDS, DURATION_SECONDS, Lease
from tests.rollout.made_cluster import NAMESPACE, MadeAnswer, MadeClock, MadeCluster, NoAnswer


def of(cluster: MadeCluster, clock: MadeClock, name: str) -> Lease:
    return Lease(cluster, NAMESPACE, "made", name, clock.now)


def test_the_first_takes_it_and_the_second_waits_as_long_as_it_is_renewed() -> None:
    cluster, clock = MadeCluster(), MadeClock()
    first, second = of(cluster, clock, "first"), of(cluster, clock, "second")

    for _ in range(40):
        assert (first.renew(), second.renew()) == (True, False)
        clock.sleep(3)
    assert cluster.lease["leaseTransitions"] == 1


def test_a_killed_holder_is_followed_after_the_lease_has_ended_and_no_earlier() -> None:
    cluster, clock = MadeCluster(), MadeClock()
    first, second = of(cluster, clock, "first"), of(cluster, clock, "second")
    first.renew()
    second.renew()
    began = clock.now()

    while not second.renew():
        clock.sleep(1)
    assert DURATION_SECONDS <= clock.now() - began <= DURATION_SECONDS + 4


def test_a_holder_that_cannot_renew_stops_before_another_may_begin() -> None:
    cluster, clock = MadeCluster(), MadeClock()
    first, second = of(cluster, clock, "first"), of(cluster, clock, "second")
    first.renew()
    second.renew()

    def cut_off(method: str, path: str) -> MadeAnswer | None:
        raise NoAnswer("cut off")

    for _ in range(40):
        cluster.fault = cut_off
        is_first = first.renew()
        cluster.fault = lambda method, path: None
        is_second = second.renew()
        assert not (is_first and is_second)
        clock.sleep(1)
    assert not first.is_held
    assert second.is_held
    assert DEADLINE_SECONDS < DURATION_SECONDS


def test_one_that_is_given_up_is_taken_at_once() -> None:
    cluster, clock = MadeCluster(), MadeClock()
    first, second = of(cluster, clock, "first"), of(cluster, clock, "second")
    first.renew()
    second.renew()

    first.release()

    clock.sleep(3)
    assert not first.is_held
    assert second.renew()


def test_of_two_that_see_it_free_at_once_one_gets_it() -> None:
    cluster, clock = MadeCluster(), MadeClock()
    first, second = of(cluster, clock, "first"), of(cluster, clock, "second")

    def second_is_quicker() -> None:
        cluster.before_patch = lambda: None
        assert second.renew()

    cluster.before_patch = second_is_quicker
    assert not first.renew()
    assert cluster.lease["holderIdentity"] == "second"


def test_a_holders_clock_that_is_wrong_changes_nothing() -> None:
    cluster, clock = MadeCluster(), MadeClock()
    cluster.lease = {"holderIdentity": "other", "renewTime": "1999-01-01T00:00:00.0Z", "leaseDurationSeconds": 15}

    assert not of(cluster, clock, "first").renew()
