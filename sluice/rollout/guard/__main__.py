"""`python -m sluice.rollout.guard`: the guard in its pod."""

from __future__ import annotations

import os
import signal
import socket
import sys
import uuid
from pathlib import Path
from types import FrameType

from sluice.errors import SluiceError
from sluice.rollout.guard.configuration import read_configuration
from sluice.rollout.guard.in_cluster import PodAccess
from sluice.rollout.guard.lease import Lease
from sluice.rollout.guard.metrics import GuardMetrics
from sluice.rollout.guard.running import LEASE, Running, guard_of, say, serve
from sluice.rollout.set_clock import now_in

_DEFAULT_FILE = "/etc/sluice/guard/guard.json"
_DEFAULT_PORT = 9090


def main() -> int:
    """Run until a signal ends it; return the exit code."""
    try:
        configuration = read_configuration(Path(os.environ.get("SLUICE_GUARD_FILE", _DEFAULT_FILE)))
        now_in(configuration.environment)  # refuses a clock that is set where none may be, before anything is judged
    except SluiceError as error:
        say(str(error), {})
        return 2
    cluster = PodAccess.from_environment(os.environ)
    if cluster is None:
        say("this is no pod of a cluster; elsewhere a guard runs by `sluice guard ENV`", {})
        return 2
    metrics = GuardMetrics()
    # A container that is started anew in its pod is another holder of the lease, or it would renew what it lost.
    identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    lease = Lease(cluster, configuration.namespace, LEASE, identity)
    running = Running(guard_of(configuration, cluster, metrics, lambda: lease.is_held, lease.renew), lease, metrics)

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        running.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server = serve(running, int(os.environ.get("SLUICE_GUARD_PORT", str(_DEFAULT_PORT))))
    say("guards", {"environment": configuration.environment, "prometheus": configuration.prometheus})
    running.run()
    server.shutdown()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
