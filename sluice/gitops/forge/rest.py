"""A REST API of JSON over HTTP: asked again where that helps, never with its token shown or sent elsewhere.

A redirection is not followed, because the token would go with it. A limit of the forge's is waited for as long as it
asks, up to a bound; errors of its own are tried again, but for what would do a thing twice.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sluice import __version__
from sluice.gitops.forge.forge import ForgeFailed

_ASKING_SECONDS = 30
_TRIES = 4
_LONGEST_WAIT_SECONDS = 90
_PAGE = 100
_MOST_PAGES = 50
_PASSING = frozenset({500, 502, 503, 504})

Method = Literal["GET", "POST", "PUT", "PATCH"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: HTTP's status, the headers by their names in small letters, and what the JSON says."""

    status: int
    headers: Mapping[str, str]
    content: Any

    @property
    def said(self) -> str:
        """What a refusal says for itself, on one line; forges write it in several ways."""
        content = self.content
        if not isinstance(content, dict):
            return ""
        parts = [content.get("message") or content.get("error") or ""]
        parts += [one.get("message") or one.get("code") or "" for one in _dictionaries(content.get("errors"))]
        return " ".join(" ".join(part if isinstance(part, str) else json.dumps(part) for part in parts).split())[:300]


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True)
class Rest:
    """An API by its address; `headers` hold the token. `sleep` is a clock's, for tests."""

    forge: str
    address: str
    headers: Mapping[str, str]
    sleep: Callable[[float], None] = time.sleep

    def __repr__(self) -> str:
        """Leave the headers out: a token in a traceback is a token in a log."""
        return f"Rest({self.forge!r}, {self.address!r})"

    def ask(self, method: Method, path: str, content: Mapping[str, Any] | None = None) -> Answer:
        """Ask once, and again where a limit or the forge's own trouble passes.

        A refusal, 4xx, is returned for the caller to judge, but for 401, which nobody can go on from. Raises
        ForgeFailed.
        """
        what = f"{method} {path.partition('?')[0]}"
        answer = Answer(0, {}, None)
        problem = ""
        for attempt in range(_TRIES):
            try:
                answer = self._asked(method, path, content)
            except (OSError, http.client.HTTPException) as error:
                answer, problem = Answer(0, {}, None), _named(error)
            wait = self._wait(answer, method, attempt)
            if wait is None:
                break
            if attempt + 1 < _TRIES:
                self.sleep(wait)
        return self._judged(answer, what, problem)

    def pages(self, path: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page by page. Raises ForgeFailed."""
        sign = "&" if "?" in path else "?"
        for page in range(1, _MOST_PAGES + 1):
            found = self.require("GET", f"{path}{sign}per_page={_PAGE}&page={page}", "a list").content
            if not isinstance(found, list):
                raise ForgeFailed(self.forge, path.partition("?")[0], "answered with no list")
            yield from _dictionaries(found)
            if len(found) < _PAGE:
                return

    def require(self, method: Method, path: str, what: str, content: Mapping[str, Any] | None = None) -> Answer:
        """Ask, and take nothing but success. Raises ForgeFailed."""
        answer = self.ask(method, path, content)
        if answer.status >= 400:
            raise self.refusal(answer, what)
        return answer

    def refusal(self, answer: Answer, what: str) -> ForgeFailed:
        """Make the error of an answer that is a refusal."""
        remedy = {
            403: "its token may not do that",
            404: "it is not there, or the token may not see it",
        }.get(answer.status, "")
        return ForgeFailed(self.forge, what, f"{answer.status} {answer.said}".strip(), remedy, status=answer.status)

    def _asked(self, method: Method, path: str, content: Mapping[str, Any] | None) -> Answer:
        request = urllib.request.Request(  # noqa: S310 - the address is checked to be HTTP's where it is read
            f"{self.address}/{path}",
            data=None if content is None else json.dumps(content).encode(),
            headers={"User-Agent": f"sluice/{__version__}", "Content-Type": "application/json", **self.headers},
            method=method,
        )
        opener = urllib.request.build_opener(_NoRedirection)
        try:
            with opener.open(request, timeout=_ASKING_SECONDS) as response:
                return _read(response.status, dict(response.headers), response.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return _read(refused.code, dict(refused.headers), refused.read())

    def _wait(self, answer: Answer, method: Method, attempt: int) -> float | None:
        """Return how many seconds to wait before it is asked again, None where that would not help."""
        limited = _limited_seconds(answer)
        if limited is not None:
            return limited if limited <= _LONGEST_WAIT_SECONDS else None
        # What was not answered may have been done all the same: a request would be opened twice.
        if answer.status in _PASSING or answer.status == 0:
            return float(2**attempt) if method != "POST" else None
        return None

    def _judged(self, answer: Answer, what: str, problem: str) -> Answer:
        if answer.status == 0:
            raise ForgeFailed(self.forge, what, f"could not be asked: {problem}")
        if answer.status == 401:
            raise ForgeFailed(
                self.forge, what, "it does not know the token", "give one that holds and has not ended", status=401
            )
        limited = _limited_seconds(answer)
        if limited is not None:
            problem = f"its limit is reached for {limited:.0f} s more"
            raise ForgeFailed(self.forge, what, problem, "run this again then", status=answer.status)
        if 300 <= answer.status < 400:
            where = urllib.parse.urlsplit(answer.headers.get("location", "")).netloc or "another place"
            remedy = "set the remote's address anew (git remote set-url)"
            raise ForgeFailed(self.forge, what, f"it has moved ({where})", remedy, status=answer.status)
        if answer.status >= 500:
            raise ForgeFailed(self.forge, what, f"{answer.status} {answer.said}".strip(), status=answer.status)
        return answer


def _read(status: int, headers: Mapping[str, str], content: bytes) -> Answer:
    try:
        said = json.loads(content) if content else None
    except ValueError:
        said = None
    return Answer(status, {name.lower(): value for name, value in headers.items()}, said)


def _limited_seconds(answer: Answer) -> float | None:
    """Return for how many seconds a forge wants to be left alone, None where it does not say so."""
    headers = answer.headers
    if answer.status not in {403, 429}:
        return None
    if "retry-after" in headers:
        return _seconds_until(headers["retry-after"])
    reset = headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset")
    left = headers.get("x-ratelimit-remaining") or headers.get("ratelimit-remaining")
    if reset and reset.isdigit() and left == "0":
        return max(0.0, int(reset) - time.time()) + 1
    return 60.0 if answer.status == 429 or "rate limit" in answer.said.lower() else None


def _seconds_until(value: str) -> float:
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 60.0


def _dictionaries(found: Any) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _named(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return " ".join(str(reason).split())[:200] or type(error).__name__
