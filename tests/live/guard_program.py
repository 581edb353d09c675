"""`python -m tests.live.guard_program FOLDER URL`: the guard's own program outside of a pod.

The folder holds what Kubernetes mounts into its pod, the URL is the API server's. All else is as in its pod.
"""

from __future__ import annotations

import sys
from pathlib import Path

from sluice import service_account

if __name__ == "__main__":
    folder, url = sys.argv[1:]
    service_account.SERVICE_ACCOUNT_FOLDER = Path(folder)
    service_account.api_server = lambda environment: url
    from sluice.rollout.guard.__main__ import main  # reads both as it is imported

    sys.exit(main())
