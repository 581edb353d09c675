"""What can be measured of an answer without understanding it, each from 0 to 1, in a time bound by the text's length.

Every pattern is linear, and at most 6 KiB of an answer are read: its beginning and its end. So an answer takes well
under a millisecond, whoever wrote it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

import orjson

from sluice.gateway.scoring.words import (
    COURTESY,
    FAREWELL,
    GREETING,
    HEDGES,
    INSTRUCTIONS,
    REFUSALS,
    STOP_WORDS,
)

QUESTION_CHARACTERS = 2 * 1024
ANSWER_CHARACTERS = 6 * 1024
_HEAD_CHARACTERS = 2 * 1024  # numbers, names and phrases are counted here alone: they cost most, and level off before
_STEM = 6

_TOKEN = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][\w&-]+")
_CODE_WORD = re.compile(r"`[^`\n]{1,80}`|\b[a-zA-Z]+_\w+|\b[a-z]+[A-Z]\w*|\b\w+\(|\"[^\"\n]{2,80}\"|https?://\S+")
_STRUCTURE = re.compile(r"^[ \t]*(?:[-*•] |\d+[.)] |#{1,6} |\||>|```|\*\*)|^[^\n]{0,60}\*\*", re.MULTILINE)
_SENTENCE_END = re.compile(r"[.!?:…)\]}\"'`*|>_~]$|[^\w\s,;(=<>+/\\-]$")
_LIST_LINE = re.compile(r"^\s*(?:[-*•] |\d+[.)] |#)")
_ASKS_JSON = re.compile(r"\bjson\b", re.IGNORECASE)
_ASKS_MAIL = re.compile(
    r"\be-?mail\b.{0,60}\b(?:announce|customer|invite|write)|\b(?:write|draft)\b.{0,40}\be-?mail\b", re.IGNORECASE
)
_ASKS_CODE = re.compile(
    r"\b(?:unit tests?|function|write (?:a )?(?:code|script|test|query|class)|implement|regex|sql)\b", re.IGNORECASE
)


class Expects(StrEnum):
    """The form that an agent's answers have, where the question does not say another."""

    GENERAL = "general"
    CODE = "code"
    JSON = "json"
    DOCUMENT = "document"
    MAIL = "mail"
    STEPS = "steps"


@dataclass(frozen=True, slots=True)
class Features:
    """What was measured. The first nine speak for an answer, hedging against it, and the last three spoil it."""

    coverage: float
    """The share of the question's words, rare ones counting more, that the answer takes up."""
    on_topic: float
    """The same, full at a quarter: below it an answer is hardly about the question."""
    amount: float
    """Length, levelling off at about 150 words."""
    complete: float
    """Whether it comes to its end: sentences, code fences, brackets."""
    structure: float
    """Lists, headings, tables, code, paragraphs."""
    form: float
    """Whether it has the form that was asked for."""
    concrete: float
    """Numbers, names, code, quotations and addresses, levelling off at about 15."""
    density: float
    """The same for each word."""
    courtesy: float
    """Words of an empathetic tone; 1 where none is wanted."""
    hedging: float
    """Phrases that could stand in any answer."""
    loops: float
    """The same words again and again."""
    echo: float
    """The question given back."""
    refusal: float
    """A short answer that says no more than that there is none."""


def measure(
    question: str, answer: str, *, expects: Expects = Expects.GENERAL, empathetic: bool = False, cut: bool = False
) -> Features:
    """Measure an answer that is not empty. `cut` says that its provider stopped it at a limit of length."""
    question = question[:QUESTION_CHARACTERS]
    answer = _bounded(answer.strip())
    words = _TOKEN.findall(answer.lower())
    count = max(1, len(words))
    stems = {word[:_STEM] for word in words}
    coverage = _coverage(question, stems)
    json_valid = _is_json(answer)
    form = _form(question, answer, expects, json_valid)
    structure = 1.0 if json_valid else min(1.0, len(_STRUCTURE.findall(answer)) / 4 + 0.25 * ("\n\n" in answer))
    head = answer[:_HEAD_CHARACTERS]
    head_count = count if len(answer) == len(head) else max(1, len(_TOKEN.findall(head)))
    things = len(_NUMBER.findall(head)) + len(_NAME.findall(head)) + len(_CODE_WORD.findall(head))
    courtesy = min(1.0, len(COURTESY.findall(answer)) / 2) if empathetic else 1.0
    return Features(
        coverage=coverage,
        on_topic=min(1.0, coverage / 0.25),
        amount=1.0 if json_valid else 1 - math.exp(-count / 60),
        complete=0.0 if cut else _completeness(answer, json_valid),
        structure=structure,
        form=form,
        concrete=1 - math.exp(-things / 6),
        density=min(1.0, things / head_count / 0.2),
        courtesy=courtesy,
        hedging=min(1.0, len(HEDGES.findall(head)) * 15 / (head_count + 15)),
        loops=_loops(words),
        echo=_echo(question, words),
        refusal=float(count < 60 and REFUSALS.search(answer) is not None),
    )


def _bounded(answer: str) -> str:
    half = ANSWER_CHARACTERS // 2
    return answer if len(answer) <= ANSWER_CHARACTERS else f"{answer[:half]}\n{answer[-half:]}"


def _coverage(question: str, stems: set[str]) -> float:
    total = covered = 0.0
    for word in set(_TOKEN.findall(question.lower())):
        if word in STOP_WORDS:
            continue
        weight = 0.2 if word in INSTRUCTIONS else 0.5 if len(word) <= 3 else 1.0 if len(word) <= 6 else 1.3
        total += weight
        if word[:_STEM] in stems:
            covered += weight
    return covered / total if total else 1.0


def _is_json(answer: str) -> bool:
    if answer[:1] not in ("{", "["):
        return False
    try:
        orjson.loads(answer)
    except orjson.JSONDecodeError:
        return False
    return True


def _form(question: str, answer: str, expects: Expects, json_valid: bool) -> float:
    if expects is Expects.JSON or _ASKS_JSON.search(question):
        fenced = answer.partition("```json")[2].partition("```")[0].strip()
        return 1.0 if json_valid else 0.6 if fenced and _is_json(fenced) else 0.0
    if expects is Expects.MAIL or _ASKS_MAIL.search(question):
        return (bool(GREETING.search(answer)) + bool(FAREWELL.search(answer))) / 2
    if _ASKS_CODE.search(question) and expects is Expects.CODE:
        return 1.0 if "```" in answer else 0.7 if "`" in answer or "\ndef " in answer else 0.3
    lines = len(_STRUCTURE.findall(answer))
    if expects is Expects.STEPS or expects is Expects.DOCUMENT:
        return min(1.0, 0.4 + lines / 5)
    return min(1.0, 0.6 + lines / 10)


def _completeness(answer: str, json_valid: bool) -> float:
    if json_valid:
        return 1.0
    if answer[:1] in ("{", "[") or answer.count("```") % 2 or answer.count("**") % 2:
        return 0.0
    last = answer.rpartition("\n")[2].rstrip()
    if re.search(r"\s[>=<+(]$|[,;(=<]$", last) or last.count("(") > last.count(")"):
        return 0.0
    if _SENTENCE_END.search(last) or _LIST_LINE.match(last):
        return 1.0
    return 1.0 if len(last.split()) <= 5 else 0.3  # a signature, a tag; else a sentence without its end


def _loops(words: list[str]) -> float:
    if len(words) < 9:
        return 0.0
    triples = list(zip(words, words[1:], words[2:], strict=False))
    repeated = 1 - len(set(triples)) / len(triples)
    plain = 1 - len(set(words)) / min(len(words), 200)
    return min(1.0, max(0.0, (repeated - 0.15) / 0.4, (plain - 0.6) / 0.25 if len(words) <= 200 else 0.0))


def _echo(question: str, words: list[str]) -> float:
    if len(words) < 5:
        return 0.0
    asked = _TOKEN.findall(question.lower())
    known = set(zip(asked, asked[1:], asked[2:], strict=False))
    triples = list(zip(words, words[1:], words[2:], strict=False))
    return max(0.0, sum(triple in known for triple in triples) / len(triples) - 0.3) / 0.7
