"""Who calls: teams by their keys, of which the gateway knows no more than a digest.

The Secret `caller-keys` is mounted as a folder with one file a team: its name is the team's, each line `sha256:` and 64
hexadecimal digits, two of them while a key is being replaced; what follows a # is a comment. It is read again when it
changes. A key holds 256 random bits, so a plain SHA-256 is enough: there is nothing to guess, and no salt or slow hash
would add to that.

A key is looked up by its digest. What the time of a look-up could tell is about the digest of a guess, from which
nothing follows for the next one; the digests themselves are then compared in constant time.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from sluice.gateway import log
from sluice.gateway.configuration import Callers
from sluice.gateway.refusals import Refusal
from sluice.gateway.watched_file import FileContent, WatchedFile

_TEAM = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DIGEST = re.compile(rb"sha256:([0-9a-f]{64})")
_GONE = "No such file or directory"


class CallerUnknown(Refusal):
    """No key, or one that no team has."""

    status = 401
    code = "invalid_api_key"

    def __init__(self, given: bool) -> None:
        what = "is not a key of any team here" if given else "is missing"
        super().__init__(f"The key {what}; send your team's as `Authorization: Bearer KEY`.")

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Say how a key is sent."""
        return ((b"www-authenticate", b"Bearer"),)


class CallerKeys:
    """The teams' keys below `folder`; `authenticate` may be called while another thread refreshes."""

    def __init__(self, folder: Path, callers: Callers) -> None:
        self._folder = folder
        self._callers = callers
        self._files: dict[str, WatchedFile] = {}
        self._digests: dict[str, frozenset[bytes]] = {}
        self._teams: Mapping[bytes, tuple[bytes, str]] = {}  # replaced as a whole, never changed
        self._unreadable = ""

    def refresh(self) -> None:
        """Look at the folder and take over what changed. A file that is gone takes its team's keys with it."""
        try:
            names = {path.name for path in self._folder.iterdir() if not path.name.startswith(".")}
        except FileNotFoundError:
            names = set()  # no Secret, no keys
        except OSError as error:
            self._tell_unreadable(error.strerror or type(error).__name__)
            return
        changed = False
        for team in sorted(names | self._files.keys()):
            changed |= self._refresh_team(team, present=team in names)
        if changed:
            self._take_over()

    def authenticate(self, headers: Mapping[bytes, bytes]) -> str | None:
        """Return the caller's team; None where callers may come without a key, and this one has no known one.

        Raises CallerUnknown.
        """
        key = bearer_key(headers)
        digest = sha256(key).digest()
        known = self._teams.get(digest) if key else None
        if known is not None and hmac.compare_digest(known[0], digest):
            return known[1]
        if self._callers is Callers.OPEN:
            return None
        raise CallerUnknown(given=bool(key))

    def _refresh_team(self, team: str, *, present: bool) -> bool:
        if not present:
            del self._files[team]
            return self._digests.pop(team, None) is not None
        found = self._files.setdefault(team, WatchedFile(self._folder / team)).read_if_changed()
        if found is None:
            return False
        if not _TEAM.fullmatch(team):
            log.warning("caller keys unusable", team=team[:64], reason="the file's name is not that of a team")
            return False
        if found.content is None:
            return self._forget_if_gone(team, found)
        self._digests[team] = _digests(team, found.content)
        return True

    def _forget_if_gone(self, team: str, found: FileContent) -> bool:
        gone = found.reason == _GONE  # the kubelet leaves a link to nothing for a moment
        log.warning("caller keys unreadable", team=team, reason=found.reason, last_good_kept=not gone)
        return gone and self._digests.pop(team, None) is not None

    def _take_over(self) -> None:
        self._teams = {digest: (digest, team) for team, digests in self._digests.items() for digest in digests}
        log.info("caller keys loaded", keys={team: len(digests) for team, digests in self._digests.items()})

    def _tell_unreadable(self, reason: str) -> None:
        if reason != self._unreadable:
            log.error("caller keys unreadable", reason=reason, last_good_kept=bool(self._teams))
        self._unreadable = reason


def bearer_key(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the key that a caller sent, empty where it sent none.

    Kubernetes' API server takes `authorization` for itself, so that behind its proxy a key comes as `x-api-key`.
    """
    scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
    return key.strip() if scheme.lower() == b"bearer" else headers.get(b"x-api-key", b"").strip()


def _digests(team: str, content: bytes) -> frozenset[bytes]:
    digests: set[bytes] = set()
    for number, line in enumerate(content.splitlines(), start=1):
        text = line.partition(b"#")[0].strip()
        match = _DIGEST.fullmatch(text)
        if match:
            digests.add(bytes.fromhex(match[1].decode("ascii")))
        elif text:  # it may be a key somebody put there unhashed: its place is told, never the line
            reason = f"line {number} is not sha256: and 64 hexadecimal digits"
            log.warning("caller key unusable", team=team, reason=reason)
    return frozenset(digests)
