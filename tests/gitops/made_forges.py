"""GitHub and GitLab as far as we ask them, on 127.0.0.1, by what their documentation says they take and answer.

https://docs.github.com/en/rest (pulls, issues/comments, commits/statuses) and https://docs.gitlab.com/api
(merge_requests, notes, commits). What is sent in another form is refused as they would refuse it; `trouble` holds
answers that come instead, one for each request that its pattern is found in.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.gitops.project import git

TOKEN = "made-token-of-nobody"


@dataclass
class Trouble:
    """What is answered in place of the next request whose `METHOD path` has `where` in it, a pattern."""

    where: str
    status: int
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1
    meanwhile: Callable[[], object] = lambda: None
    """What others do at that moment."""


@dataclass
class MadeForge:
    """What there is: requests by number, comments by request, statuses; and everything that was asked."""

    bare: Path
    requests: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    trouble: list[Trouble] = field(default_factory=list)
    address: str = ""

    def head(self, branch: str) -> str:
        file = self.bare / "refs/heads" / branch
        return file.read_text().strip() if file.exists() else "0" * 40

    def merged(self, branch: str) -> str:
        """Merge a branch in the bare repository, as a forge does: in nobody's work tree."""
        main, head = self.head("main"), self.head(branch)
        tree = git(self.bare, "merge-tree", "--write-tree", main, head).splitlines()[0]
        who = ("-c", "user.name=forge", "-c", "user.email=forge@example.com")
        commit = git(self.bare, *who, "commit-tree", tree, "-p", main, "-p", head, "-m", f"Merge {branch}")
        git(self.bare, "update-ref", "refs/heads/main", commit)
        return commit

    def open_ones(self) -> dict[int, dict[str, Any]]:
        return {number: one for number, one in self.requests.items() if one["state"] in {"open", "opened"}}

    def troubled(self, request: web.Request) -> web.Response | None:
        said = f"{request.method} {request.path}"
        self.asked.append(said)
        for one in self.trouble:
            if re.search(one.where, said) and one.times > 0:
                one.times -= 1
                one.meanwhile()
                return web.json_response(one.content, status=one.status, headers=one.headers)
        return None


Handler = Callable[[web.Request, dict[str, Any]], web.Response]


def _refused(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


@dataclass
class MadeGitHub(MadeForge):
    """GitHub's API of the repository `owner/made`."""

    forks: set[int] = field(default_factory=set)
    """The requests that come from one."""

    def answer(self, request: web.Request, content: dict[str, Any]) -> web.Response:  # noqa: C901 - a case each
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _refused(401, "Bad credentials")
        if request.headers.get("X-GitHub-Api-Version") != "2022-11-28" or "User-Agent" not in request.headers:
            return _refused(400, "a header is missing")
        match request.method, request.path.removeprefix("/repos/owner/made/").split("/"):
            case "GET", ["pulls"]:
                return self._list(request)
            case "POST", ["pulls"]:
                return self._open(content)
            case "PATCH", ["pulls", number]:
                self.requests[int(number)] |= {
                    key: value for key, value in content.items() if key in {"title", "body", "state"}
                }
                return web.json_response(self._shown(int(number)))
            case "PUT", ["pulls", number, "merge"]:
                return self._merge(int(number), content)
            case method, ["issues", "comments", number]:
                (found,) = [one for many in self.comments.values() for one in many if one["id"] == int(number)]
                assert method == "PATCH"
                found["body"] = content["body"]
                return web.json_response(found)
            case "GET", ["issues", number, "comments"]:
                return web.json_response(self.comments.get(int(number), []))
            case "POST", ["issues", number, "comments"]:
                known = self.comments.setdefault(int(number), [])
                known.append({"id": len(self.asked), "body": content["body"], "html_url": f"https://made/{number}#c"})
                return web.json_response(known[-1], status=201)
            case "POST", ["statuses", commit]:
                assert content["state"] in {"error", "failure", "pending", "success"}
                assert len(content["description"]) <= 140
                self.statuses.append({"commit": commit, **content})
                return web.json_response({}, status=201)
        return _refused(404, "Not Found")

    def _shown(self, number: int) -> dict[str, Any]:
        one = self.requests[number]
        repo, fork = {"full_name": "owner/made", "pushed_at": "now"}, {"full_name": "stranger/made"}
        return {
            **one,
            "number": number,
            "html_url": f"https://made/owner/made/pull/{number}",
            "head": {"ref": one["head"], "sha": self.head(one["head"]), "repo": fork if number in self.forks else repo},
            "base": {"ref": one["base"], "repo": repo},
        }

    def _list(self, request: web.Request) -> web.Response:
        asked = request.query
        head = asked.get("head", "").removeprefix("owner:")
        found = [
            self._shown(number)
            for number, one in sorted(self.requests.items())
            if one["state"] == asked.get("state", "open")
            and one["base"] == asked.get("base", one["base"])
            and head in ("", one["head"])
        ]
        size, page = int(asked.get("per_page", 30)), int(asked.get("page", 1))
        return web.json_response(found[size * (page - 1) : size * page])

    def _open(self, content: dict[str, Any]) -> web.Response:
        if any(one["head"] == content["head"] for one in self.open_ones().values()):
            return web.json_response(
                {
                    "message": "Validation Failed",
                    "errors": [{"message": f"A pull request already exists for owner:{content['head']}."}],
                },
                status=422,
            )
        if self.head(content["head"]) == "0" * 40:
            return web.json_response(
                {"message": "Validation Failed", "errors": [{"field": "head", "code": "invalid"}]}, status=422
            )
        number = len(self.requests) + 1
        self.requests[number] = {"state": "open", **content}
        return web.json_response(self._shown(number), status=201)

    def _merge(self, number: int, content: dict[str, Any]) -> web.Response:
        one = self.requests[number]
        if content["sha"] != self.head(one["head"]):
            return _refused(409, "Head branch was modified. Review and try the merge again.")
        commit = self.merged(one["head"])
        one["state"] = "closed"
        return web.json_response({"sha": commit, "merged": True, "message": "Pull Request successfully merged"})


class MadeGitLab(MadeForge):
    """GitLab's API of the project `group/made`."""

    def answer(self, request: web.Request, content: dict[str, Any]) -> web.Response:  # noqa: C901 - a case each
        if request.headers.get("PRIVATE-TOKEN") != TOKEN:
            return _refused(401, "401 Unauthorized")
        if not request.raw_path.startswith("/projects/group%2Fmade/"):
            return _refused(404, "404 Project Not Found")
        match request.method, request.path.removeprefix("/projects/group/made/").split("/"):
            case "GET", ["merge_requests"]:
                return self._list(request)
            case "POST", ["merge_requests"]:
                return self._open(content)
            case "PUT", ["merge_requests", number]:
                one = self.requests[int(number)]
                one |= {key: value for key, value in content.items() if key in {"title", "description"}}
                if content.get("state_event") == "close":
                    one["state"] = "closed"
                return web.json_response(self._shown(int(number)))
            case "PUT", ["merge_requests", number, "merge"]:
                return self._merge(int(number), content)
            case "GET", ["merge_requests", number, "notes"]:
                return web.json_response(self.comments.get(int(number), []))
            case "POST", ["merge_requests", number, "notes"]:
                known = self.comments.setdefault(int(number), [])
                known.append({"id": len(self.asked), "body": content["body"]})
                return web.json_response(known[-1], status=201)
            case "PUT", ["merge_requests", number, "notes", note]:
                (found,) = [one for one in self.comments[int(number)] if one["id"] == int(note)]
                found["body"] = content["body"]
                return web.json_response(found)
            case "POST", ["statuses", commit]:
                assert content["state"] in {"pending", "running", "success", "failed", "canceled"}
                if any(one["commit"] == commit and one["state"] == content["state"] for one in self.statuses):
                    return _refused(400, "Cannot transition status via :run from :running")
                self.statuses.append({"commit": commit, **content})
                return web.json_response({}, status=201)
        return _refused(404, "404 Not Found")

    def _shown(self, number: int) -> dict[str, Any]:
        one = self.requests[number]
        return {
            **one,
            "iid": number,
            "sha": self.head(one["source_branch"]),
            "web_url": f"https://made/group/made/-/merge_requests/{number}",
            "source_project_id": 7,
            "target_project_id": 7,
        }

    def _list(self, request: web.Request) -> web.Response:
        asked = request.query
        found = [
            self._shown(number)
            for number, one in sorted(self.requests.items())
            if one["state"] == asked["state"]
            and one["target_branch"] == asked["target_branch"]
            and asked.get("source_branch") in (None, one["source_branch"])
        ]
        size, page = int(asked.get("per_page", 20)), int(asked.get("page", 1))
        return web.json_response(found[size * (page - 1) : size * page])

    def _open(self, content: dict[str, Any]) -> web.Response:
        branch = content["source_branch"]
        if any(one["source_branch"] == branch for one in self.open_ones().values()):
            message = ["Another open merge request already exists for this source branch: !1"]
            return web.json_response({"message": message}, status=409)
        number = len(self.requests) + 1
        self.requests[number] = {"state": "opened", **content}
        return web.json_response(self._shown(number), status=201)

    def _merge(self, number: int, content: dict[str, Any]) -> web.Response:
        one = self.requests[number]
        if content["sha"] != self.head(one["source_branch"]):
            return _refused(409, "SHA does not match HEAD of source branch")
        commit = self.merged(one["source_branch"])
        one["state"] = "merged"
        return web.json_response({**self._shown(number), "merge_commit_sha": commit})


@contextmanager
def served(forge: MadeForge) -> Iterator[MadeForge]:
    """Answer for a forge on 127.0.0.1, in a thread of its own."""

    async def handle(request: web.Request) -> web.Response:
        content = await request.json() if request.can_read_body else {}
        return forge.troubled(request) or forge.answer(request, content)  # type: ignore[attr-defined]

    loop = asyncio.new_event_loop()
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return int(runner.addresses[0][1])

    port = loop.run_until_complete(start())
    forge.address = f"http://127.0.0.1:{port}"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield forge
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(runner.cleanup())
        loop.close()
