"""The kinds that others serve, in a cluster where nobody serves them: the API server takes ours all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sluice.local.toolchain import definition
from sluice.local.toolchain.catalog import CRDS
from tests.live.project import LiveProject


@contextmanager
def with_kinds_of_others(project: LiveProject) -> Iterator[None]:
    files = [word for kind in CRDS.files for word in ("-f", str(definition(kind)))]
    try:
        for command in (["apply", "--server-side"], ["wait", "--for=condition=Established", "--timeout=60s"]):
            ran = project.kubectl(*command, *files)
            assert ran.exit_code == 0, ran.stderr
        yield
    finally:
        project.kubectl("delete", "--wait=false", *files)
