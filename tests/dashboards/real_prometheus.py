"""Debian's Prometheus as a process, with an environment's own rules in a time that runs faster.

A rule that counts over five minutes counts over five seconds here, and one over a day over 24 minutes: each duration in
brackets, after `offset`, `for` and `interval` is divided alike, so that what is recorded is computed by the same
expressions. Limits and the least numbers of answers are those of the rules.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from sluice.registry import Settings
from sluice.render.alerts import rule_groups

FASTER: Final = 60
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"(?<=[\[:])(\d+)([smhdw])(?=[\]:])|(?<=offset )(\d+)([smhdw])")
_LISTENS: Final = re.compile(r'msg="Listening on" address=(\S+)')


def faster(settings: Settings) -> dict[str, Any]:
    """The rules of an environment, each duration a sixtieth of what it is."""
    groups = json.loads(json.dumps(rule_groups(settings)))
    for group in groups:
        group["interval"] = _shortened(group["interval"])
        for rule in group["rules"]:
            rule["expr"] = _DURATION.sub(lambda found: _shortened(found[0]), rule["expr"])
            if "for" in rule:
                rule["for"] = _shortened(rule["for"])
    return {"groups": groups}


def _shortened(duration: str) -> str:
    return f"{int(duration[:-1]) * _UNITS[duration[-1]] * 1000 // FASTER}ms"


class Prometheus:
    """A Prometheus that runs, and a client that asks it."""

    def __init__(self, url: str, client: aiohttp.ClientSession) -> None:
        self.url = url
        self._client = client

    async def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that are there now; a query that is refused fails."""
        async with self._client.post(f"{self.url}/api/v1/query", data={"query": expression}) as response:
            answer = await response.json()
            assert response.status == 200, f"{expression}: {answer}"
            series: list[dict[str, Any]] = answer["data"]["result"]
            return series

    async def unhealthy_rules(self) -> list[str]:
        """Return the names of rules that could not be evaluated, with what Prometheus says of it."""
        async with self._client.get(f"{self.url}/api/v1/rules") as response:
            groups = (await response.json())["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert rules, "it has read no rules"
        return [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] == "err"]


@asynccontextmanager
async def prometheus(
    program: Path, folder: Path, settings: Settings, targets: Mapping[str, str]
) -> AsyncIterator[Prometheus]:
    """Start one that scrapes `targets`, addresses by the pod that they stand for, every second."""
    (folder / "rules.json").write_text(json.dumps(faster(settings)))
    (folder / "prometheus.yml").write_text(
        json.dumps(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": ["rules.json"],
                "scrape_configs": [
                    {
                        "job_name": "sluice",
                        "honor_labels": True,
                        "static_configs": [
                            {"targets": [address], "labels": {"namespace": settings.namespace, "pod": pod}}
                            for pod, address in targets.items()
                        ],
                    }
                ],
            }
        )
    )
    process = await asyncio.create_subprocess_exec(
        *(program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"),
        "--web.listen-address=127.0.0.1:0",
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        said = []
        while (line := (await process.stderr.readline()).decode()) and not _LISTENS.search(line):
            said.append(line)
        found = _LISTENS.search(line)
        assert found, "".join(said)
        reading = asyncio.create_task(_read_on(process.stderr))
        async with aiohttp.ClientSession() as client:
            yield Prometheus(f"http://{found[1]}", client)
        reading.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _read_on(stream: asyncio.StreamReader) -> None:
    """Nobody may stop reading: a process whose pipe is full stands still."""
    while await stream.readline():
        pass
