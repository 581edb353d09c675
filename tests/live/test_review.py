"""What waits for a person is read and decided from a person's machine, in real pods and their Redis."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import anyio

from tests.live.project import AGENTS, URL, LiveProject

QUESTION = "Write a post about our new office, and mail it to jane.doe@corp.example"
ASK = {"model": "content", "user": "ada", "messages": [{"role": "user", "content": QUESTION}]}


def test_an_output_is_listed_shown_and_decided_once(project: LiveProject) -> None:
    project.roll_out(dict.fromkeys(AGENTS, 100))
    project.up()
    headers = anyio.run(_ask)
    assert headers["x-sluice-review"] == "pending", headers
    item_id = headers["x-sluice-review-id"]

    project.wait_for(lambda: item_id in {item["id"] for item in _asked(project, "review", "list", "live")})
    item = _asked(project, "review", "show", "live", item_id)
    assert (item["agent"], item["arm"], item["status"]) == ("content", "candidate", "pending")
    assert item["question"] == "Write a post about our new office, and mail it to [e-mail]"
    assert item["answer"]

    decided = _asked(project, "review", "approve", "live", item_id, "--by", "ada", "--note", "fine; $(true) 'quoted'")
    assert (decided["status"], decided["reviewer"], decided["note"]) == ("approved", "ada", "fine; $(true) 'quoted'")
    again = project.sluice("review", "reject", "live", item_id, "--by", "bob")
    assert again.exit_code == 1
    assert "approved already, by ada" in again.stderr
    assert item_id not in {item["id"] for item in _asked(project, "review", "list", "live")}
    assert project.sluice("review", "show", "live", "content-0").exit_code == 1


def test_the_worst_answered_queries_are_read(project: LiveProject) -> None:
    project.up()
    anyio.run(_ask)

    def kept(*which: str) -> list[dict[str, Any]]:
        found = _asked(project, "failures", "live", "content", *which)
        return [query for query in found if query["question"].endswith("mail it to [e-mail]")]

    project.wait_for(lambda: bool(kept("--worst")))
    assert 0 <= kept("--worst")[0]["score"] <= 10
    assert kept() == [], "nothing failed"


async def _ask() -> dict[str, str]:
    async with aiohttp.ClientSession(URL) as session, session.post("/v1/chat/completions", json=ASK) as response:
        assert response.status == 200, await response.text()
        return dict(response.headers)


def _asked(project: LiveProject, *arguments: str) -> Any:
    ran = project.sluice(*arguments, "--format", "json")
    assert ran.exit_code == 0, ran.stderr
    return json.loads(ran.stdout)
