"""Debian's Prometheus as a process, with an environment's own rules in a time that runs faster.

A rule that counts over five minutes counts over five seconds here, and one over a day over 24 minutes.
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
from tests.rules.compressed import faster_rules

FASTER: Final = 60
_LISTENS: Final = re.compile(r'msg="Listening on" address=(\S+)')


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
    (folder / "rules.json").write_text(json.dumps({"groups": faster_rules(rule_groups(settings), FASTER)}))
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
