"""GitLab's merge requests, by https://docs.gitlab.com/api/rest, version 4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from sluice.gitops.forge.forge import ForgeFailed, Merge, Request, State
from sluice.gitops.forge.rest import Rest

_STATES = {State.PENDING: "running", State.SUCCESS: "success", State.FAILURE: "failed"}
_LONGEST_DESCRIPTION = 255


class GitLab:
    """One project there, by its path, such as `group/name`."""

    def __init__(self, project: str, api: str, token: str, sleep: Callable[[float], None] | None = None) -> None:
        self.name = f"GitLab, {project}"
        self._path = f"projects/{quote(project, safe='')}"
        self._rest = Rest(self.name, api, {"PRIVATE-TOKEN": token}, *([sleep] if sleep else []))

    def open_requests(self, base: str, prefix: str) -> tuple[Request, ...]:
        """Return the open requests of this project's own branches; those of forks are other people's."""
        asked = urlencode({"state": "opened", "target_branch": base, "order_by": "created_at", "sort": "asc"})
        found = self._rest.pages(f"{self._path}/merge_requests?{asked}")
        return tuple(
            _request(one)
            for one in found
            if one["source_branch"].startswith(prefix) and one["source_project_id"] == one["target_project_id"]
        )

    def open(self, branch: str, base: str, title: str, body: str) -> Request:
        """Open a request, or return the one that is open for the branch already."""
        content = {
            "source_branch": branch,
            "target_branch": base,
            "title": title,
            "description": body,
            "remove_source_branch": True,
        }
        try:
            answer = self._rest.ask("POST", f"{self._path}/merge_requests", content)
        except ForgeFailed as failed:
            # What was not answered may have been done.
            there = self._open_for(branch, base) if failed.status is None or failed.status >= 500 else None
            if there is None:
                raise
            return there
        if answer.status == 409 and (there := self._open_for(branch, base)) is not None:
            return there
        if answer.status >= 400:
            raise self._rest.refusal(answer, f"a request of {branch} cannot be opened")
        return _request(answer.content)

    def describe(self, request: Request, title: str, body: str) -> None:
        """Give a request another title and text."""
        content = {"title": title, "description": body}
        what = f"request {request.number} cannot be described"
        self._rest.require("PUT", f"{self._path}/merge_requests/{request.number}", what, content)

    def close(self, request: Request, why: str) -> None:
        """Close a request, with a comment that says why."""
        what = f"request {request.number} cannot be closed"
        path = f"{self._path}/merge_requests/{request.number}"
        self._rest.require("PUT", path, what, {"state_event": "close"})
        self._rest.require("POST", f"{path}/notes", what, {"body": why})

    def comment(self, number: int, mark: str, text: str) -> str:
        """Leave one comment with the hidden `mark`: the one that is there is written anew. Return its address."""
        content = {"body": f"<!-- {mark} -->\n{text}"}
        what = f"request {number} cannot be commented on"
        path = f"{self._path}/merge_requests/{number}/notes"
        for one in self._rest.pages(path):
            if (one.get("body") or "").startswith(f"<!-- {mark} -->"):
                self._rest.require("PUT", f"{path}/{one['id']}", what, content)
                return f"note {one['id']} of request {number}"
        return f"note {self._rest.require('POST', path, what, content).content['id']} of request {number}"

    def state(self, commit: str, check: str, state: State, said: str) -> None:
        """Say of a commit how a check of it stands. One that stands so already is no error."""
        content = {"state": _STATES[state], "name": check, "description": said[:_LONGEST_DESCRIPTION]}
        answer = self._rest.ask("POST", f"{self._path}/statuses/{commit}", content)
        if answer.status >= 400 and "Cannot transition status" not in answer.said:
            raise self._rest.refusal(answer, f"no status can be set of {commit[:12]}")

    def merge(self, request: Request) -> Merge:
        """Merge a request if it still is at the commit that it has here.

        405 and 422 are what it gets while its checks run or the base was just changed, too, so they are worth asking
        again; 409 says that the request has another commit by now, which nobody here has checked.
        """
        path = f"{self._path}/merge_requests/{request.number}/merge"
        answer = self._rest.ask("PUT", path, {"sha": request.commit, "should_remove_source_branch": True})
        if answer.status == 200:
            found = answer.content
            return Merge(str(found.get("merge_commit_sha") or found.get("squash_commit_sha") or found["sha"]))
        if answer.status in {405, 409, 422}:
            return Merge(None, answer.said or str(answer.status), answer.status != 409)
        raise self._rest.refusal(answer, f"request {request.number} cannot be merged")

    def _open_for(self, branch: str, base: str) -> Request | None:
        asked = urlencode({"state": "opened", "target_branch": base, "source_branch": branch})
        what = "open requests cannot be listed"
        found = self._rest.require("GET", f"{self._path}/merge_requests?{asked}", what).content
        return next((_request(one) for one in found if one["source_branch"] == branch), None)


def _request(found: dict[str, Any]) -> Request:
    return Request(
        int(found["iid"]),
        found["source_branch"],
        found["sha"],
        found["title"],
        found.get("description") or "",
        found["web_url"],
    )
