"""What a soak has asked so far, a line of JSON for each query, so that one that was killed goes on where it was.

The file is named by what is tested: where a model, a query, the scorer or the gateway is another, a soak begins anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sluice.registry.evidence import SoakMadeOf
from sluice.registry.typed import unbuilt
from sluice.rollout.soak import Answered, Exercised


@dataclass(slots=True)
class SoakRecord:
    """The record of one soak. `path` need not be there yet."""

    path: Path
    answers: dict[tuple[str, int], Answered] = field(default_factory=dict)
    exercised: Exercised | None = None

    @classmethod
    def of(cls, folder: Path, environment: str, models: Mapping[str, str], made_of: SoakMadeOf) -> SoakRecord:
        """Return the record of a soak of these models' ids, with what an earlier run of it wrote."""
        about = json.dumps([environment, dict(models), unbuilt(made_of)], sort_keys=True)
        record = cls(folder / f"{environment}-{hashlib.sha256(about.encode()).hexdigest()[:16]}.jsonl")
        record._read()
        return record

    @property
    def cost_dollars(self) -> float:
        """What the answers so far cost."""
        return sum(answer.cost_dollars for answer in self.answers.values())

    @property
    def last(self) -> datetime | None:
        """When the last query was asked."""
        return max((answer.at for answer in self.answers.values()), default=None)

    def add(self, answer: Answered) -> None:
        """Write the end of one query."""
        self.answers[answer.agent, answer.number] = answer
        self._write({**dataclasses.asdict(answer), "at": answer.at.isoformat()})

    def exercise(self, exercised: Exercised) -> None:
        """Write what the exercise showed."""
        self.exercised = exercised
        self._write({"exercised": dataclasses.asdict(exercised)})

    def close(self) -> None:
        """Put the record aside: its evidence is written, and the next soak begins anew."""
        self.path.replace(self.path.with_suffix(".done"))

    def _write(self, line: Mapping[str, object]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        try:
            content = self.path.read_text(encoding="utf-8")
        except OSError:
            return
        if content and not content.endswith("\n"):
            # Its last line was cut by whoever killed the soak: that query is asked again.
            content = content[: content.rfind("\n") + 1]
            self.path.write_text(content, encoding="utf-8")
        # By the newline alone: an answer's error may hold what `splitlines` takes for the end of a line, too.
        for line in content.split("\n")[:-1]:
            found = json.loads(line)
            if "exercised" in found:
                self.exercised = Exercised(**{**found["exercised"], "said": tuple(found["exercised"]["said"])})
            else:
                answer = Answered(**{**found, "at": datetime.fromisoformat(found["at"])})
                self.answers[answer.agent, answer.number] = answer
