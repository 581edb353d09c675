"""Tells text that looks like a key or a token from names, ids and prose, so that it is refused and never printed.

Some keys are known by how they begin. Mistral's have 32 letters and digits and nothing else to know them by: those are
judged by how mixed they are, and by what stands before them. Ids of jobs, digests and names must pass.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from sluice.registry.bounds import MAX_LINE

_KNOWN = re.compile(
    r"""
    \bsk-[A-Za-z0-9_-]{16,}                         # OpenAI, Anthropic, OpenRouter
    | \b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,}    # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}                    # GitLab
    | \bxox[abprs]-[A-Za-z0-9-]{10,}                # Slack
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                 # AWS
    | \bAIza[0-9A-Za-z_-]{30,}                      # Google
    | \bhf_[A-Za-z0-9]{20,}                         # Hugging Face
    | \b(?:gsk|r8|pul|npm|dop_v1)[_-][A-Za-z0-9]{20,}
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*   # a JSON web token
    | -----BEGIN[ ](?:[A-Z]+[ ])*PRIVATE[ ]KEY-----
    | (?<=://)[^\s/:@"'{}]*:[^\s/@"'{}]+(?=@)       # a password in an address
    """,
    re.VERBOSE,
)
# One of these is in whatever _KNOWN finds. Most lines have none, and looking for them takes a tenth of the time.
_KNOWN_BY = (
    *("sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "AKIA", "ASIA", "AIza", "hf_"),
    *("gsk_", "gsk-", "r8_", "r8-", "pul_", "pul-", "npm_", "npm-", "dop_v1", "eyJ", "PRIVATE KEY", "://"),
)
# And one of these in whatever _AFTER_A_WORD_FOR_IT finds, where the text is ASCII.
_WORDS_FOR_IT = ("key", "token", "secret", "passw", "passphrase", "bearer", "credential", "authorization")
_LONG_PIECE = re.compile(r"[^\s,]{16}")
_AFTER_A_WORD_FOR_IT = re.compile(
    r"(?i)(?:key|token|secret|passw(?:or)?d|passphrase|bearer|credentials?|authorization)\b[\"']?"
    r"(?:\s*[:=]\s*|\s+(?:is|was)\s+|\s+)(?:bearer\s+)?[\"'`]?(?P<value>[A-Za-z0-9_+/=.-]{16,})"
)
_RUN = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9][A-Za-z0-9+/=_-]{23,}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?:[0-9a-f]+|[0-9A-F]+)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_BESIDE_A_DIGIT = re.compile(r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
_SHORTEST = 16
"""Nothing shorter is taken for a key, and most lines of a file are."""

_LONGEST_MEAN_OF_RANDOM_WORDS = 3.2
"""Words in names are longer than this on average; stretches of one kind in random text have about two characters."""

_PIECE = re.compile(r"[A-Za-z0-9]+")
_CHANGE_OF_KIND = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[A-Z])(?=[a-z])")


def secret_spans(text: str) -> tuple[tuple[int, int], ...]:
    """Return where in `text` something stands that looks like a key or a token: start and end, in rising order."""
    return _spans(text, _KNOWN_BY, _WORDS_FOR_IT)


def secret_lines(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield what `secret_spans` finds in each line of a text: the line's number, from 1, start and end.

    What is nowhere in the text is not looked for in its lines: a file may have a hundred thousand of them. A line that
    is too long for a file is left out.
    """
    lowered = text.lower()
    known_by = tuple(sign for sign in _KNOWN_BY if sign in text)
    words = tuple(word for word in _WORDS_FOR_IT if word in lowered or not text.isascii())
    for number, line in enumerate(text.splitlines(), start=1):
        if _SHORTEST <= len(line) <= MAX_LINE:
            for start, end in _spans(line, known_by, words):
                yield number, start, end


def _spans(text: str, known_by: Sequence[str], words: Sequence[str]) -> tuple[tuple[int, int], ...]:
    found = set()
    for sign in known_by:
        if sign in text:
            found = {match.span() for match in _KNOWN.finditer(text)}
            break
    if not _LONG_PIECE.search(text):
        return tuple(sorted(found))
    for match in _RUN.finditer(text):
        if _is_random_by_itself(match[0]):
            found.add(match.span())
    if words and _has_word(text, words):
        for match in _AFTER_A_WORD_FOR_IT.finditer(text):
            if _is_random_beside_a_word(match["value"]):
                found.add(match.span("value"))
    if not found:
        return ()
    digests = [match.span() for match in _DIGEST.finditer(text)]
    free = {span for span in found if not any(start <= span[0] and span[1] <= end for start, end in digests)}
    return tuple(_outermost(sorted(free)))


def _has_word(text: str, words: Sequence[str]) -> bool:
    """Whether one of `words` may be in `text`; beside ASCII, letters have more cases than two."""
    lowered = text.lower()
    return not text.isascii() or any(word in lowered for word in words)


def entropy_bits(text: str) -> float:
    """Return Shannon's entropy of the characters of `text`, in bits a character."""
    counts = Counter(text)
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts.values())


def _is_random_by_itself(run: str) -> bool:
    """Judge a long run of letters, digits and signs with nothing beside it: an id of hexadecimal digits passes."""
    if _UUID.fullmatch(run) or _HEX.fullmatch(run):
        return False
    longest = max(_PIECE.findall(run), key=len)
    return _is_mixed(longest, at_least=24) or (len(run) >= 32 and _is_mixed_throughout(run))


def _is_random_beside_a_word(value: str) -> bool:
    """Judge what stands behind a word like `key:`, where less is needed; the name of a secret passes."""
    value = value.rstrip(".=-")
    if _UUID.fullmatch(value) or (_HEX.fullmatch(value) and len(value) >= 24):
        return entropy_bits(value) > 2.5
    longest = max(_PIECE.findall(value), key=len, default="")
    return _is_mixed(longest, at_least=16) or (len(value) >= 20 and _is_mixed_throughout(value))


def _is_mixed(run: str, *, at_least: int) -> bool:
    """Whether a run without separators changes between small letters, capitals and digits as no words do."""
    if len(run) < at_least or entropy_bits(run) < 3.0:
        return False
    words_are_short = len(run) / len(_WORD.findall(run)) <= _LONGEST_MEAN_OF_RANDOM_WORDS
    return words_are_short or len(_BESIDE_A_DIGIT.findall(run)) >= len(run) / 5


def _is_mixed_throughout(run: str) -> bool:
    """Whether a run with separators has all kinds of characters, and changes between them as no list of words does."""
    kinds = (str.islower, str.isupper, str.isdigit)
    return all(any(kind(character) for character in run) for kind in kinds) and (
        len(_CHANGE_OF_KIND.findall(run)) >= len(run) / 4 and entropy_bits(run) >= 4.0
    )


def _outermost(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Merge spans that overlap."""
    current: tuple[int, int] | None = None
    for start, end in spans:
        if current and start < current[1]:
            current = (current[0], max(current[1], end))
            continue
        if current:
            yield current
        current = (start, end)
    if current:
        yield current
