"""GitHub's pull requests, by https://docs.github.com/rest, version 2022-11-28."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from sluice.gitops.forge.forge import ForgeFailed, Merge, Request, State
from sluice.gitops.forge.rest import Rest

_LONGEST_BODY = 65_000
_LONGEST_DESCRIPTION = 140


class GitHub:
    """One repository there, by `owner/name`."""

    def __init__(self, project: str, api: str, token: str, sleep: Callable[[float], None] | None = None) -> None:
        self.name = f"GitHub, {project}"
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self._owner = project.partition("/")[0]
        self._path = f"repos/{quote(project)}"
        self._rest = Rest(self.name, api, headers, *([sleep] if sleep else []))

    def open_requests(self, base: str, prefix: str) -> tuple[Request, ...]:
        """Return the open requests of this repository's own branches; those of forks are other people's."""
        asked = urlencode({"state": "open", "base": base, "sort": "created", "direction": "asc"})
        found = self._rest.pages(f"{self._path}/pulls?{asked}")
        return tuple(
            _request(one)
            for one in found
            if one["head"]["ref"].startswith(prefix) and _repository(one["head"]) == _repository(one["base"])
        )

    def open(self, branch: str, base: str, title: str, body: str) -> Request:
        """Open a request, or return the one that is open for the branch already."""
        content = {"title": title, "head": branch, "base": base, "body": _cut(body)}
        try:
            answer = self._rest.ask("POST", f"{self._path}/pulls", content)
        except ForgeFailed as failed:
            # What was not answered may have been done.
            there = self._open_for(branch, base) if failed.status is None or failed.status >= 500 else None
            if there is None:
                raise
            return there
        if answer.status == 422 and (there := self._open_for(branch, base)) is not None:
            return there
        if answer.status >= 400:
            raise self._rest.refusal(answer, f"a request of {branch} cannot be opened")
        return _request(answer.content)

    def describe(self, request: Request, title: str, body: str) -> None:
        """Give a request another title and text."""
        content = {"title": title, "body": _cut(body)}
        what = f"request {request.number} cannot be described"
        self._rest.require("PATCH", f"{self._path}/pulls/{request.number}", what, content)

    def close(self, request: Request, why: str) -> None:
        """Close a request, with a comment that says why."""
        what = f"request {request.number} cannot be closed"
        self._rest.require("PATCH", f"{self._path}/pulls/{request.number}", what, {"state": "closed"})
        self._rest.require("POST", f"{self._path}/issues/{request.number}/comments", what, {"body": why})

    def comment(self, number: int, mark: str, text: str) -> str:
        """Leave one comment with the hidden `mark`: the one that is there is written anew. Return its address."""
        content = {"body": _cut(f"<!-- {mark} -->\n{text}")}
        what = f"request {number} cannot be commented on"
        path = f"{self._path}/issues"
        for one in self._rest.pages(f"{path}/{number}/comments"):
            if (one.get("body") or "").startswith(f"<!-- {mark} -->"):
                answer = self._rest.require("PATCH", f"{path}/comments/{one['id']}", what, content)
                return str(answer.content["html_url"])
        return str(self._rest.require("POST", f"{path}/{number}/comments", what, content).content["html_url"])

    def state(self, commit: str, check: str, state: State, said: str) -> None:
        """Say of a commit how a check of it stands."""
        content = {"state": str(state), "context": check, "description": said[:_LONGEST_DESCRIPTION]}
        self._rest.require("POST", f"{self._path}/statuses/{commit}", f"no status can be set of {commit[:12]}", content)

    def merge(self, request: Request) -> Merge:
        """Merge a request if it still is at the commit that it has here.

        405 is what a base that others just changed gets, too, so it is worth asking again; 409 says that the request
        has another commit by now, which nobody here has checked.
        """
        path = f"{self._path}/pulls/{request.number}/merge"
        answer = self._rest.ask("PUT", path, {"sha": request.commit, "merge_method": "merge"})
        if answer.status == 200:
            return Merge(str(answer.content["sha"]))
        if answer.status in {405, 409, 422}:
            return Merge(None, answer.said or str(answer.status), answer.status == 405)
        raise self._rest.refusal(answer, f"request {request.number} cannot be merged")

    def _open_for(self, branch: str, base: str) -> Request | None:
        asked = urlencode({"state": "open", "base": base, "head": f"{self._owner}:{branch}"})
        found = self._rest.require("GET", f"{self._path}/pulls?{asked}", "open requests cannot be listed").content
        return next((_request(one) for one in found if one["head"]["ref"] == branch), None)


def _repository(end: dict[str, Any]) -> Any:
    """Return the repository of one end of a request, None where it is gone, as a fork may be."""
    return (end.get("repo") or {}).get("full_name")


def _request(found: dict[str, Any]) -> Request:
    head = found["head"]
    return Request(
        int(found["number"]), head["ref"], head["sha"], found["title"], found.get("body") or "", found["html_url"]
    )


def _cut(body: str) -> str:
    """Shorten what is longer than a request may be."""
    if len(body) <= _LONGEST_BODY:
        return body
    return f"{body[:_LONGEST_BODY]}\n\n... and more: the rest is in the commit."
