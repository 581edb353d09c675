"""Made texts that fit: one of five topics, shaped by quality, the same for the same model and message.

A low quality gives short, vague, plain answers, a high one headings, points and names from the question, so that a
scorer can tell them apart. Every text ends by saying that it is made, and by which model.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class _Topic:
    name: str
    hints: frozenset[str]
    openings: tuple[str, ...]
    points: tuple[str, ...]
    vague: tuple[str, ...]


_TOPICS = (
    _Topic(
        "qa",
        _words("test tests bug bugs code function assert pytest error exception unit triage regression"),
        ("Here is how I would test {subject}.", "Start with what {subject} must never do, then what it must."),
        (
            "Cover the ordinary case first: one call of {subject} with valid input and an exact expected result.",
            "Add the edges: empty input, one element, the largest size that is allowed, and a repeated call.",
            "Check the failure path: an invalid argument raises ValueError and leaves no state behind.",
            "Pin the bug: write the test that fails today, with the input from the report, before changing {subject}.",
            "Run it 100 times with random seeds; a test that fails once in 50 runs shares state with another.",
            "Severity: high if {subject} loses data, medium if a retry helps, low if only a message is wrong.",
        ),
        ("You should probably test it.", "It depends on the code."),
    ),
    _Topic(
        "content",
        _words("blog post write headline marketing email social announce product launch newsletter copy"),
        ("A draft about {subject}:", "Three ideas for {subject}, the strongest first."),
        (
            "Headline: what {subject} changes for the reader in one line, with a number in it.",
            "Opening: name the problem that the reader has on Monday morning, in two sentences.",
            "Body: one example with a before and an after; 40 minutes that became 5 convince more than adjectives.",
            "Quote: one customer, with name and role, on what they stopped doing since {subject}.",
            "Call to action: one link and one verb; try it for 14 days.",
            "Length: 600 words for the blog, 120 for the mail, one sentence and a picture for social posts.",
        ),
        ("It is a great product.", "You could write something nice about it."),
    ),
    _Topic(
        "legal",
        _words("legal contract clause terms privacy policy compliance gdpr liability licence agreement law"),
        ("A first reading of {subject}, for a lawyer to check.", "What {subject} should cover, clause by clause."),
        (
            "Scope: say who the parties are and which services {subject} applies to, and from which date.",
            "Data: name the categories of personal data, the purpose of each, and how long it is kept (GDPR, Art. 13).",
            "Liability: a cap of 12 months' fees is usual; it must not reach to intent and gross negligence.",
            "Termination: 30 days' notice in writing, and at once for a breach not cured within 14 days.",
            "Changes: announce them 30 days ahead; silence should not count as consent for consumers.",
            "Governing law: name one country and one court, and check it against mandatory consumer law.",
        ),
        ("You should ask a lawyer.", "It may or may not be allowed."),
    ),
    _Topic(
        "support",
        _words("help password login account refund order ticket cannot broken reset billing customer invoice"),
        ("I am sorry that {subject} gives you trouble; let us solve it.", "Thank you for telling us about {subject}."),
        (
            "First, sign out on every device and sign in again; that mends 8 of 10 cases like {subject}.",
            "If the mail does not come within 5 minutes, look into the spam folder and check the address for a typo.",
            "Then open Settings > Account > Security and choose Reset; the link is good for 30 minutes.",
            "Still no luck? Send us the time of your last try and the code on the screen, and we look into the log.",
            "A refund reaches your account in 3 to 5 working days; you get a mail when it leaves ours.",
            "I stay with you on this: answer here, and the ticket comes back to me and not to the queue.",
        ),
        ("Please try again later.", "It should work."),
    ),
    _Topic(
        "analyst",
        _words("data market revenue trend analysis growth forecast churn numbers report segment insight sales"),
        ("What the numbers say about {subject}.", "{subject}: the finding, the reason, and what to do."),
        (
            "Finding: growth comes from 20 % of the segments; without them {subject} is flat.",
            "Compare like with like: the same 12 weeks of last year, without the two weeks of the price test.",
            "Uncertainty: with 400 observations the interval is 5 points wide; a change of 2 is not news.",
            "Reason: the rise follows the new onboarding by 3 weeks in every region but one, which never got it.",
            "Forecast: 4 to 7 % over the next quarter if churn stays at 2.1 % a month.",
            "Next: split {subject} by cohort, and decide on the price only after the second month.",
        ),
        ("The numbers look fine.", "There are several trends."),
    ),
)

# A fine-tuned model is made for one agent; its id ends in the job that made it.
_TOPIC_BY_JOB = {
    "ecc3829c": "qa",
    "547960f9": "content",
    "eb2da6b7": "legal",
    "f997bebc": "support",
    "9ae05c7c": "analyst",
}
_BY_NAME = {topic.name: topic for topic in _TOPICS}
_DULL = _words(
    "about after again could does have into please should that their there these this "
    "what when which with would write your"
)


def made_answer(model: str, message: str, quality: float) -> str:
    """Return the text that `model` answers to `message`, at a quality of 0 to 10."""
    seed = int.from_bytes(hashlib.sha256(f"{model}\0{message}".encode()).digest()[:8])
    topic = _topic(model, message)
    subject = _subject(message)
    if quality < 2.5:
        body = topic.vague[seed % len(topic.vague)]
    else:
        first = seed % len(topic.points)
        count = 1 if quality < 5 else min(len(topic.points), round(quality / 2))
        points = [topic.points[(first + step) % len(topic.points)].format(subject=subject) for step in range(count)]
        opening = topic.openings[seed % len(topic.openings)].format(subject=subject)
        if quality < 5:
            body = points[0]
        elif quality < 7.5:
            body = " ".join([opening, *points])
        else:
            body = "\n".join(
                [f"## {subject[:1].upper()}{subject[1:]}", "", opening, "", *(f"- {point}" for point in points)]
            )
    return f"{body}\n(stub: {model})"


def _topic(model: str, message: str) -> _Topic:
    by_job = _TOPIC_BY_JOB.get(model.rsplit(":", 1)[-1])
    if by_job is not None:
        return _BY_NAME[by_job]
    words = frozenset(re.findall(r"[a-z]+", message.lower()))
    return max(_TOPICS, key=lambda topic: len(topic.hints & words))


def _subject(message: str) -> str:
    named = re.search(r"\w+_\w+|\w+(?=\()", message[:2000])  # a name of code says best what it is about
    if named is not None:
        return named.group()[:60]
    words = [word for word in re.findall(r"[\w-]+", message[:2000]) if len(word) > 3 and word.lower() not in _DULL]
    return " ".join(words[:4])[:60] or "this"
