"""The labelled answers beside this file: made questions, four answers each, points by the authors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from sluice.gateway.scoring.features import Expects
from sluice.gateway.scoring.scores import Scores

_FILE = Path(__file__).with_name("labelled.yaml")

EXPECTS = {"qa": Expects.CODE, "content": Expects.DOCUMENT, "legal": Expects.DOCUMENT, "support": Expects.STEPS}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One answer, the question it was given to, and what people say it is worth."""

    agent: str
    question: str
    answer: str
    label: Scores
    held_out: bool

    @property
    def expects(self) -> Expects:
        """The form that the registry says of the agent."""
        return EXPECTS.get(self.agent, Expects.GENERAL)

    @property
    def empathetic(self) -> bool:
        """Whether the registry wants an empathetic tone of the agent."""
        return self.agent == "support"


def read_labelled() -> list[Labelled]:
    """Read every labelled answer."""
    found = []
    for question in yaml.safe_load(_FILE.read_text(encoding="utf-8")):
        for answer in question["answers"]:
            quality, relevance, form, specificity, overall = map(float, answer["labels"])
            label = Scores(overall, quality, relevance, form, specificity)
            held_out = question["half"] == "held"
            found.append(Labelled(question["agent"], question["question"], answer["text"], label, held_out))
    return found
