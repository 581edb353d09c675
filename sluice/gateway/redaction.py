"""Takes out of a text what must not be kept: e-mail addresses, phone numbers, keys and tokens.

Everything that keeps what a caller wrote or a model answered (review, capture) keeps it through `redact`. Where a
number may be a phone number or something else, it is taken out when it is written as phone numbers are: with a plus,
with the separators of a country, or behind a word such as `phone`. A bare run of digits is an id, a time or an amount.

Every pattern takes time linear in the text: runs are possessive and begin where a run begins, repetitions are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

E_MAIL = "[e-mail]"
PHONE = "[phone]"
KEY = "[key]"

# An address in whatever letters, its @ also as %40, as (at), or as the wide form of it.
_E_MAIL = re.compile(
    r"""
    (?<![\w.+&-]) [\w.+&-]++
    (?: [@\uff20] | %40 | [ ]?[\[({<][ ]?(?:at|AT)[ ]?[\])}>][ ]? )
    (?: \w[\w-]*+ (?: (?:\.|[ ]?[\[({<][ ]?(?:dot|DOT)[ ]?[\])}>][ ]?) [\w-]++ )++ | \[[0-9a-fA-F:.]{3,45}\] )
    """,
    re.VERBOSE,
)
_AT_SIGNS = ("@", "\uff20", "%40")
_BRACKETS = ("(", "[", "<", "{")
_AT_IN_BRACKETS = re.compile(r"[\[({<] ?(?:at|AT) ?[\])}>]")

_GAP = r"[ \u00a0\u2009\u202f.()/\u2010-\u2015\u2212-]"
_PHONES = tuple(
    re.compile(pattern)
    for pattern in (
        # +49 (0)30 1234567, 0044 20 7946 0958
        rf"(?<![\w+])(?:\+|00(?=[1-9]))(?:{_GAP}{{0,3}}\d){{7,15}}(?!\d)",
        # 415-555-2671, (415) 555-2671, 1.415.555.2671
        r"(?<![\w.+-])(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{4}(?![\w-])",
        # 030/1234567, (0221) 12345-67, 06 12 34 56 78, 07700 900123
        rf"(?<![\w.,:/+-])\(?0\d{{1,4}}\)?(?:{_GAP}{{1,2}}\d{{2,8}}){{1,5}}(?![\w:])",
        # 07700900123, 0612345678, 13812345678, 98765 43210
        r"(?<![\w.,:/+-])(?:0[1-9]\d{8,9}|1[3-9]\d{9}|[6-9]\d{4}[ -]\d{5})(?![\w:-]|\.\d)",
    )
)
# 5552671, whatever it is written like
_AFTER_A_WORD = re.compile(
    r"(?i)\b((?:tele)?phone|tel|telefon[eo]?|teléfono|tél(?:éphone)?|mobile?|móvil|cell|handy|fax|whatsapp|call"
    r"|text me|reach me)((?:[ ](?:number|no|nr|me|us|him|her|is|at|on|under)\b){0,3}[.:#=]?[ ]{0,3})"
    rf"(\(?\d(?:{_GAP}{{0,2}}\d){{6,14}})(?!\d)"
)
_DATE = re.compile(r"\d{1,2}[./ -]\d{1,2}[./ -](?:19|20)\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}")
_FEWEST_CLOSE_DIGITS = 7
_CLOSE_DIGITS = re.compile(r"\d(?:\D{0,3}+\d){6,}+")
"""All digits of a phone number of any form stand so close: only there are the patterns above tried."""
_BEFORE_A_PHONE = 6
_BEFORE_A_NUMBER = 48
"""Characters before the first digit that the patterns may want, the longest word and what follows it among them."""
_AFTER_THEM = 2
_FEWEST_DIGITS = 9
_FEWEST_DIGITS_WITH_A_PLUS = 7

_KEYS = re.compile(
    r"""
    -----BEGIN[ ](?:[A-Z]+[ ]){0,3}PRIVATE[ ]KEY-----(?:[^-]++(?:-----END[ ][A-Z ]{0,40}PRIVATE[ ]KEY-----)?)?
    | \bsk-[A-Za-z0-9_-]{16,}+                      # OpenAI, Anthropic, OpenRouter
    | \bsluice-[a-z0-9-]{1,63}-[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])
    | \b(?:ghp|gho|ghu|ghs|ghr|github_pat)_[A-Za-z0-9_]{20,}+
    | \bglpat-[A-Za-z0-9_-]{16,}+
    | \bxox[abprs]-[A-Za-z0-9-]{10,}+
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
    | \bAIza[0-9A-Za-z_-]{30,}+
    | \bhf_[A-Za-z0-9]{20,}+
    | \b(?:gsk|r8|pul|npm|dop_v1)[_-][A-Za-z0-9]{20,}+
    | \beyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?   # a JSON web token
    | (?<=://)[^\s/:@"'{}]{0,128}:[^\s/@"'{}]{1,256}(?=@)                # user and password in an address
    """,
    re.VERBOSE,
)
_PASSWORD = re.compile(
    r"(?i)(passw(?:or)?d|passphrase|pwd)([\"']?[ ]{0,3}(?:[:=]|[ ]is[ ])[ ]{0,3}[\"'`]?)"
    r"([^\s\"'`,;(){}<]{6,128}+)(?!\()"
)
_SECRET = re.compile(
    r"(?i)(key|token|secret|bearer|credentials?|authorization)"
    r"([\"']?(?:[ ]{0,3}[:=][ ]{0,3}|[ ]is[ ]|[ ])(?:bearer[ ])?[\"'`]?)([A-Za-z0-9_+/=.-]{16,}+)(?![(])"
)
# Letters of both cases and digits through and through, as no word and no name is; hexadecimal digests are left.
_SHORTEST_RUN = 32
_RUN = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9][A-Za-z0-9+/=_-]{31,}+")
_CHANGE_OF_KIND = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])|(?<=[A-Z])(?=[a-z])")

# What must stand in a text for a pattern above to find something: most texts have none of it, and are looked at in a
# tenth of the time.
_BEGINS_OF_KEYS = (
    *("-----BEGIN", "sk-", "sluice-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "AKIA"),
    *("ASIA", "AIza", "hf_", "gsk", "r8", "pul", "npm", "dop_v1", "eyJ", "://"),
)
_WORDS_OF_PASSWORDS = ("passw", "passphrase", "pwd")
_WORDS_OF_SECRETS = ("key", "token", "secret", "bearer", "credential", "authorization")


def redact(text: str) -> str:
    """Return the text with a mark in place of each e-mail address, phone number and key."""
    folded = text.casefold()
    if _has_any(text, _BEGINS_OF_KEYS):
        text = _KEYS.sub(KEY, text)
    if _has_any(folded, _WORDS_OF_PASSWORDS):
        text = _PASSWORD.sub(rf"\1\2{KEY}", text)
    if _has_any(folded, _WORDS_OF_SECRETS):
        text = _SECRET.sub(_unless_a_name, text)
    if _has_long_word(text):
        text = _RUN.sub(_unless_a_word, text)
    if _has_any(text, _AT_SIGNS) or (_has_any(text, _BRACKETS) and _AT_IN_BRACKETS.search(text)):
        text = _E_MAIL.sub(E_MAIL, text)
    if text.isascii() and sum(map(text.count, "0123456789")) < _FEWEST_CLOSE_DIGITS:
        return text
    text = _near_close_digits(text, _BEFORE_A_PHONE, _without_phones)
    return _near_close_digits(text, _BEFORE_A_NUMBER, _without_numbers)


def _has_any(text: str, parts: tuple[str, ...]) -> bool:
    for part in parts:  # noqa: SIM110 -- a generator takes as long again, and every answer is asked six times
        if part in text:
            return True
    return False


def _has_long_word(text: str) -> bool:
    """Whether so many characters as a run has at least stand without a space among them."""
    begin = 0
    while len(text) - begin >= _SHORTEST_RUN:
        space = text.rfind(" ", begin, begin + _SHORTEST_RUN)
        if space < 0:
            return True
        begin = space + 1
    return False


def _near_close_digits(text: str, before: int, redacted: Callable[[str], str]) -> str:
    """Redact around each place of close digits, the last first: what stands before it keeps its place."""
    places = [found.span() for found in _CLOSE_DIGITS.finditer(text)]
    done, rest = [""], len(text)  # what stands behind `rest`, the last piece first
    for (_, last_end), (first, end) in reversed(list(pairwise([(0, 1), *places]))):
        begin = max(last_end - 1, first - before)  # with one character more, which may be a word's
        after = end + _AFTER_THEM
        shared = max(0, after - rest)  # with the place behind it
        near = text[begin : min(after, rest)] + done[-1][:shared]
        done[-1] = done[-1][shared:]
        done += [text[after:rest], redacted(near)]
        rest = begin
    return "".join([text[:rest], *reversed(done)])


def _without_phones(text: str) -> str:
    for pattern in _PHONES:
        text = pattern.sub(_unless_a_date, text)
    return text


def _without_numbers(text: str) -> str:
    return _AFTER_A_WORD.sub(_number_unless_a_date, text)


def _unless_a_date(match: re.Match[str]) -> str:
    return (
        PHONE
        if _is_number(match[0], _FEWEST_DIGITS if match[0][0] != "+" else _FEWEST_DIGITS_WITH_A_PLUS)
        else match[0]
    )


def _number_unless_a_date(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}{PHONE if _is_number(match[3], 7) else match[3]}"


def _is_number(written: str, at_least: int) -> bool:
    return at_least <= sum(map(str.isdigit, written)) <= 15 and not _DATE.match(written)


def _unless_a_name(match: re.Match[str]) -> str:
    # `secret mistral-api-key` names one; what opens something has digits among its letters.
    value = match[3]
    digits = sum(map(str.isdigit, value))
    is_key = digits >= 2 and any(map(str.isalpha, value)) and len(_CHANGE_OF_KIND.findall(value)) >= 3
    return f"{match[1]}{match[2]}{KEY}" if is_key else match[0]


def _unless_a_word(match: re.Match[str]) -> str:
    run = match[0]
    kinds = (str.islower, str.isupper, str.isdigit)
    mixed = all(any(map(kind, run)) for kind in kinds) and len(_CHANGE_OF_KIND.findall(run)) >= len(run) / 4
    return KEY if mixed else run
