"""Overrides that hold one candidate alone: which of them counts, by the candidate that the flags name."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.gateway import log
from sluice.gateway.configuration import Configuration
from sluice.gateway.flags import Flags
from sluice.gateway.live_flags import LiveFlags
from sluice.gateway.metrics import Metrics
from sluice.gateway.mounted_map import MapContent
from sluice.override import read_override
from tests.gateway.shown_weights import active, broken, weights

MakeFlag = Callable[[str, int], dict[str, Any]]


@pytest.fixture
def metrics(configuration: Configuration) -> Metrics:
    return Metrics(configuration.agents)


@pytest.fixture
def flags(configuration: Configuration, metrics: Metrics) -> Flags:
    return Flags(configuration, metrics)


@pytest.fixture
def live(mounted: Any, flags: Flags, metrics: Metrics) -> LiveFlags:
    return LiveFlags(mounted.path, flags, metrics)


def held(candidate: str, **earlier: Any) -> str:
    """Return an entry that holds one candidate alone."""
    return json.dumps({"weight": 0, "by": "guard", "candidate": candidate, **earlier})


def flags_of(make_flag: MakeFlag, weight: int, candidate: str | None) -> str:
    """Return flags.json in which qa has a candidate, or none."""
    document = make_flag("qa", weight if candidate else 0)
    metadata = {"weight": weight if candidate else 0} | ({"candidate": candidate} if candidate else {})
    targeting = document["targeting"]
    targeting["fractional"][0]["cat"][0] = f"qa/{candidate}/"
    flag = {**document, "metadata": metadata, "targeting": targeting if candidate else {}}
    return json.dumps({"flags": {"qa": flag, "legal": make_flag("legal", 50)}})


def test_an_override_for_a_candidate_ends_with_another_and_holds_again_when_it_is_back(
    mounted: Any, live: LiveFlags, metrics: Metrics, make_flag: MakeFlag, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure_logging()
    mounted.write_override(qa=held("qa-20251031"))
    seen = []
    for weight, candidate in ((50, "qa-20251031"), (10, "qa-20260301"), (50, "qa-20251031"), (0, None)):
        mounted.write_flags_text(flags_of(make_flag, weight, candidate))
        live.refresh()
        seen.append((weights(metrics)["qa"], weights(metrics, "allowed")["qa"], active(metrics)["qa"]))

    assert seen == [(0, 0, 1), (10, 100, 0), (0, 0, 1), (0, 100, 0)]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = [
        (line["event"], line["candidate"])
        for line in lines
        if line["event"].startswith("override")
        if "candidate" in line
    ]
    ended, again = "override ended by the registry's rule", "override in force again"
    assert told == [(ended, "qa-20260301"), (again, "qa-20251031"), (ended, None)]
    assert "override lifted" not in {line["event"] for line in lines}


def test_a_second_candidate_that_fell_leaves_the_first_held(
    mounted: Any, live: LiveFlags, metrics: Metrics, make_flag: MakeFlag
) -> None:
    earlier = [json.loads(held("qa-20251031"))]
    mounted.write_override(qa=held("qa-20260301", earlier=earlier))
    seen = []
    for candidate in ("qa-20251031", "qa-20260301", "qa-20260601"):
        mounted.write_flags_text(flags_of(make_flag, 10, candidate))
        live.refresh()
        seen.append(weights(metrics)["qa"])

    assert seen == [0, 0, 10]


def test_without_a_flag_that_can_be_read_an_override_for_any_candidate_isactive(
    mounted: Any, live: LiveFlags, metrics: Metrics
) -> None:
    mounted.write_flags_text("{")
    mounted.write_override(qa=held("qa-20251031"))
    live.refresh()

    assert active(metrics)["qa"] == 1


def test_flags_that_cannot_be_used_end_no_override(
    mounted: Any, live: LiveFlags, metrics: Metrics, make_flag: MakeFlag
) -> None:
    mounted.write_flags_text(flags_of(make_flag, 50, "qa-20251031"))
    mounted.write_override(qa=held("qa-20251031"))
    live.refresh()
    odd = json.loads(flags_of(make_flag, 10, "qa-20260301"))
    odd["flags"]["qa"]["targeting"]["fractional"][0] = "everybody"
    mounted.write_flags_text(json.dumps(odd))
    live.refresh()

    assert (weights(metrics)["qa"], active(metrics)["qa"], broken(metrics)) == (0, 1, 1)


NAMES = st.sampled_from(["qa-20251031", "qa-20260301"])
ANY_ENTRY = st.one_of(
    st.sampled_from(["0", "25", "off", "100"]),
    st.builds(
        lambda weight, more: json.dumps({"weight": weight, **more}),
        st.integers(0, 100),
        st.fixed_dictionaries(
            {},
            optional={
                "candidate": st.one_of(NAMES, st.none(), st.integers()),
                "earlier": st.lists(
                    st.fixed_dictionaries({"weight": st.integers(0, 100), "candidate": NAMES}), max_size=2
                ),
            },
        ),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    weight=st.integers(0, 100),
    candidate=st.one_of(NAMES, st.none()),
    entries=st.dictionaries(st.sampled_from(["qa", "all", "legal"]), ANY_ENTRY),
    order=st.booleans(),
)
def test_whatever_entries_and_flags_say_no_more_is_served_than_wanted_or_than_an_entry_for_the_named_one_allows(
    flags: Flags,
    metrics: Metrics,
    make_flag: MakeFlag,
    weight: int,
    candidate: str | None,
    entries: dict[str, str],
    order: bool,
) -> None:
    changes: list[Callable[[], None]] = [
        lambda: flags.take_flags({"flags": MapContent({"flags.json": flags_of(make_flag, weight, candidate)})}),
        lambda: flags.take_override(MapContent(entries)),
    ]
    for change in changes if order else reversed(changes):
        change()

    served = weights(metrics)["qa"]
    assert served is not None
    assert served <= (weight if candidate else 0)
    said = [read_override(text) for key, text in entries.items() if key in ("qa", "all")]
    holding = [one for entry in said for one in entry.each if not one.candidate or one.candidate == candidate]
    of_all = [one for key, text in entries.items() if key == "all" for one in read_override(text).each]
    assert all(served <= one.weight_percent for one in (*holding, *of_all))
