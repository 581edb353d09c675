"""The words and phrases that the built-in scorer knows, as patterns that are compiled once.

They are general English; nothing here is about one agent's business. A text in another language is scored by the rest:
its length, structure, numbers, names, and the words it shares with its question.
"""

from __future__ import annotations

import re

_STOP_WORDS = """
a about after again all also am an and any are as at be because been before being between both but by can could did do
does doing down during each few for from further had has have having he her here hers him his how i if in into is it its
itself just me more most my no nor not now of off on once only or other our ours out over own s same she should so some
such t than that the their them then there these they this those through to too under until up us very was we were what
when where which while who whom why will with would you your yours
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())

# What a question asks to be done, rather than what it is about; an answer need not say it again.
_INSTRUCTIONS = """
answer compare create describe draft explain extract fields find five four give help list make most name one please
return review say short summarise summarize tell text three two want with words write
"""
INSTRUCTIONS = frozenset(_INSTRUCTIONS.split())

HEDGES = re.compile(
    r"\b(?:depends? on|it depends|may or may not|might want to|in general|generally|usually|probably|maybe|perhaps"
    r"|possibly|somewhat|some(?:how|thing|times)|many (?:factors|reasons|causes|things|ways)"
    r"|number of (?:reasons|factors)|(?:different|various|several|certain) (?:reasons|factors|ways|things|formats)"
    r"|various|where (?:needed|appropriate)|as needed|if needed|it is (?:important|recommended|best)"
    r"|important to note|more information|further research|contact (?:us|support)|consult"
    r"|should be (?:considered|fine)|could be|seems?|looks? (?:good|fine)|overall|basically|quite|in conclusion"
    r"|interesting|advantages and|do our part|fast-paced|than ever|game.changer|next level|stay tuned|cutting.edge"
    r"|innovative|excited|amazing|world.class|feel free|for everyone|great things)\b",
    re.IGNORECASE,
)

REFUSALS = re.compile(
    r"\bas an? (?:ai|artificial)\b|\blanguage model\b|\bi(?:'m| am)? ?(?:can ?not|can't|unable to|not able to) "
    r"(?:help|assist|provide|answer|do|comply|fulfil)|\bi(?:'m| am) sorry,? but i\b|\bunable to (?:help|assist)\b",
    re.IGNORECASE,
)

COURTESY = re.compile(
    r"\b(?:sorry|apologi[sz]e|apologies|understand|thank(?:s| you)|hi|hello|dear|kind regards|warm regards|best regards"
    r"|happy to|let us|let me|i have (?:looked|asked|refunded|opened|checked|sent)|we have (?:checked|refunded)|please"
    r"|awkward|annoying|frustrating|worry|here is)\b",
    re.IGNORECASE,
)

GREETING = re.compile(
    r"^[^\w\n]{0,9}(?:subject\b|hi\b|hello\b|dear\b|good (?:morning|day))", re.IGNORECASE | re.MULTILINE
)
FAREWELL = re.compile(
    r"^[^\w\n]{0,9}(?:(?:kind|best|warm)? ?regards|yours|sincerely|cheers|the \w+ team)", re.IGNORECASE | re.MULTILINE
)
