"""Whether git shows that a sign-off was written by one person and let in by another.

Who wrote a file is the author of its last change, which no merge may have made. Who let it in is the author of the
merge that brought it, or whoever its trailers name (`Approved-by`, `Reviewed-by`), or a committer who is no forge. What
a person claims of another in git is only as good as the branch's protection: that is the forge's to keep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sluice.git import Git
from sluice.gitops.owners import SIGN_OFF
from sluice.registry.document import parse_document

_FOLDER = "registry/evidence"
_BETWEEN = "\x1f"
_FORGES = ("noreply@github.com", "noreply@gitlab.com")
_APPROVING = ("Approved-by", "Reviewed-by")
_CHANGED = _BETWEEN.join(["%aN", "%aE", "%cN", "%cE", "%P", "%H"])


@dataclass(frozen=True, slots=True)
class _Person:
    name: str
    address: str

    def is_other_than(self, other: _Person) -> bool:
        """Whether neither name nor address is the other's."""
        return self.name.casefold() != other.name.casefold() and (
            not self.address or self.address.casefold() != other.address.casefold()
        )

    @property
    def is_a_person(self) -> bool:
        """Whether it is no forge's own name."""
        return self.address not in _FORGES


@dataclass(frozen=True, slots=True)
class Unproven:
    """A sign-off that git does not vouch for: its file from the project's folder, its models, and why."""

    file: str
    models: tuple[str, ...]
    problem: str


def unproven(git: Git, reference: str) -> Iterator[Unproven]:
    """Yield the sign-offs of a commit that one person alone wrote and let in. Raises GitRefused.

    The commit is one of everybody's branch: what still lies on a branch of its own nobody has let in yet.
    """
    prefix = git.text("rev-parse", "--show-prefix")
    listed = git.raw("ls-tree", "-r", "-z", "--name-only", "--full-tree", reference, f"{prefix}{_FOLDER}/")
    for path in filter(None, listed.decode().split("\0")):
        said = _sign_off(git.content(reference, path) or b"")
        if said is None:
            continue
        role, signer, models = said
        file = path.removeprefix(prefix)
        begins = SIGN_OFF.format(role=role)
        if not file.removeprefix(f"{_FOLDER}/").startswith(begins):
            yield Unproven(file, models, f"is a {role} sign-off; name it {begins}NAME.yaml, by which its team owns it")
        if problem := _problem(git, reference, path, signer):
            yield Unproven(file, models, problem)


def _sign_off(content: bytes) -> tuple[str, str, tuple[str, ...]] | None:
    document, _ = parse_document(content, "evidence")
    if document is None or document.get("kind") != "sign-off":
        return None
    models = document.get("sign_off", "models")
    names = tuple(map(str, models)) if isinstance(models, Mapping) else ()
    return str(document.get("sign_off", "role")), str(document.get("by") or ""), names


def _problem(git: Git, reference: str, path: str, signer: str) -> str:
    written = git.text("log", "--no-merges", "-1", f"--format={_CHANGED}", reference, "--", f":(top,literal){path}")
    in_a_merge = "was written in a merge itself, where nobody else let it in; bring it by a commit of its own"
    if not written:
        return in_a_merge
    name, address, committer, committer_address, parents, commit = written.split(_BETWEEN)
    if not parents and git.text("rev-parse", "--is-shallow-repository") == "true":
        return "this clone has not the history that shows who signed; get it by: git fetch --unshallow"
    if git.content(commit, path) != git.content(reference, path):
        return in_a_merge
    author = _Person(name, address)
    letting_in = [
        one
        for one in (_Person(committer, committer_address), *_let_in_by(git, reference, path))
        if one.is_a_person and one.is_other_than(author)
    ]
    if not letting_in:
        return (
            f"{author.name} wrote it and let it in; another person merges it, or is named by Approved-by in the merge"
        )
    known = {one.name.casefold() for one in (author, *letting_in)}
    if signer and signer.casefold() not in known:
        others = ", ".join(dict.fromkeys(one.name for one in letting_in))
        return f"is by {signer}, whom git does not know of it: {author.name} wrote it, {others} let it in"
    return ""


def _let_in_by(git: Git, reference: str, path: str) -> Iterator[_Person]:
    """Yield who is named by the last commit of everybody's branch that changed a file: its author, its trailers."""
    form = _BETWEEN.join(["%aN", "%aE", "%P", "%H%n%(trailers:only,unfold)"])
    asked = ("log", "--first-parent", "-1", f"--format={form}", reference, "--", f":(top,literal){path}")
    first, *trailers = git.text(*asked).split("\n")
    name, address, parents, _ = first.split(_BETWEEN)
    if len(parents.split()) > 1:
        yield _Person(name, address)
    for line in trailers:
        trailer, _, value = line.partition(": ")
        if trailer in _APPROVING:
            named, _, rest = value.partition(" <")
            yield _Person(named.strip(), rest.rstrip("> "))
