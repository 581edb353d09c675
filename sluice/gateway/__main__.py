"""`python -m sluice.gateway`: read the settings and the configuration, take the ports, serve.

What keeps it from starting is one line on standard error and exit code 3, so that the last log line of a pod that
restarts again and again says why.
"""

from __future__ import annotations

import os
import sys

from prometheus_client import start_http_server

from sluice.errors import SluiceError
from sluice.gateway import log
from sluice.gateway.app import Gateway
from sluice.gateway.configuration import load_configuration
from sluice.gateway.draw import check_draw
from sluice.gateway.process_settings import ProcessSettings
from sluice.gateway.server import PortTaken, bind, serve


def main() -> int:
    """Run the gateway and return its exit code."""
    log.configure_logging()
    try:
        settings = ProcessSettings.from_environment(os.environ)
        configuration = load_configuration(settings.folder / "config" / "gateway.json")
        check_draw(configuration.draw)
        listener = bind(settings.host, settings.port, "SLUICE_GATEWAY_PORT")
        gateway = Gateway(configuration, settings)
        metrics_port = _serve_metrics(gateway, settings)
    except SluiceError as error:
        print(f"sluice gateway: {error}", file=sys.stderr)
        return error.exit_code
    log.info(
        "starting",
        environment=configuration.environment,
        agents=sorted(configuration.agents),
        port=listener.getsockname()[1],
        metrics_port=metrics_port,
    )
    serve(gateway, settings, listener)
    log.info("stopped")
    return 0


def _serve_metrics(gateway: Gateway, settings: ProcessSettings) -> int:
    # In a thread of its own: it answers even while the loop is busy, and until the very end of a drain.
    try:
        server, _thread = start_http_server(settings.metrics_port, settings.host, gateway.metrics.registry)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortTaken(settings.host, settings.metrics_port, "SLUICE_GATEWAY_METRICS_PORT", reason) from error
    return int(server.server_port)


if __name__ == "__main__":
    sys.exit(main())
