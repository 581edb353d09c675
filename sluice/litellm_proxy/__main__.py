"""`python -m sluice.litellm_proxy`: LiteLLM's proxy from the mounted files, on one port, until it is told to stop.

LiteLLM takes keys from variables alone; here they are files, so that no Deployment names them and none is left in one.
They are read once: a key that changed is taken by a restart of the Deployment.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

MASTER_KEY: Final = "litellm-master-key"
"""The file with the key that the gateway sends."""

_FOLDER: Final = "/etc/sluice"
_PORT: Final = "4000"
_LONGEST_REQUEST_SECONDS: Final = "120"

_OURS: Final = {
    # What it would fetch from elsewhere when it starts lies in the package too.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_MODE": "PRODUCTION",  # no .env file is looked for
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
    "NO_REDOC": "True",
    "NO_OPENAPI": "True",
    "LITELLM_LOG": "ERROR",
}


class NotStarted(Exception):
    """A file that LiteLLM needs is missing or empty."""


def variables(folder: Path) -> dict[str, str]:
    """Return what LiteLLM is told: each key by the name of its file. Raises NotStarted."""
    configuration = folder / "config" / "litellm.yaml"
    if not configuration.is_file():
        raise NotStarted(f"{configuration}: is not there; mount the configuration")
    found = {file.name: file.read_text().strip() for file in sorted((folder / "keys").glob("[!.]*")) if file.is_file()}
    if not found.get(MASTER_KEY):
        raise NotStarted(f"{folder / 'keys' / MASTER_KEY}: is missing or empty; without it everybody would be served")
    # Its own variable is read first; the file of another name is found by what the configuration says of it.
    return {**_OURS, **found, "LITELLM_MASTER_KEY": found[MASTER_KEY], "CONFIG_FILE_PATH": str(configuration)}


def main(environment: Mapping[str, str]) -> int:
    """Run the proxy and return its exit code."""
    try:
        os.environ.update(variables(Path(environment.get("SLUICE_LITELLM_FOLDER", _FOLDER))))
    except (NotStarted, OSError) as error:
        print(f"sluice litellm: {error}", file=sys.stderr)
        return 3
    # Here and not above: what LiteLLM is told must stand in the variables before it is imported.
    import uvicorn
    from litellm.proxy.proxy_server import app  # type: ignore[import-not-found]

    from sluice.litellm_proxy.narrow import Narrow

    uvicorn.run(
        Narrow(app, os.environ["LITELLM_MASTER_KEY"]),
        host=environment.get("SLUICE_LITELLM_HOST", "0.0.0.0"),  # noqa: S104 - the pod's own address
        port=int(environment.get("SLUICE_LITELLM_PORT", _PORT)),
        access_log=False,
        log_level="warning",
        timeout_keep_alive=75,  # longer than the gateway keeps idle connections
        timeout_graceful_shutdown=int(environment.get("SLUICE_LITELLM_FINISH_SECONDS", _LONGEST_REQUEST_SECONDS)),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
