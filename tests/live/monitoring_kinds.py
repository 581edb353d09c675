"""prometheus-operator's kinds in the local cluster, which has no operator: the API server takes ours all the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sluice.local.toolchain.judges import monitoring_kinds
from tests.live.project import LiveProject


@contextmanager
def with_monitoring_kinds(project: LiveProject) -> Iterator[None]:
    files = [word for file in monitoring_kinds() for word in ("-f", str(file))]
    try:
        for command in (["apply", "--server-side"], ["wait", "--for=condition=Established", "--timeout=60s"]):
            ran = project.kubectl(*command, *files)
            assert ran.exit_code == 0, ran.stderr
        yield
    finally:
        project.kubectl("delete", "--wait=false", *files)
