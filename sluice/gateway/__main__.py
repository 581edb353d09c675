"""`python -m sluice.gateway`: read the settings and the configuration, take the ports, serve.

What keeps it from starting is one line on standard error and exit code 3, so that the last log line of a pod that
restarts again and again says why. With more than one worker, the process that was started looks after the others.
"""

from __future__ import annotations

import os
import socket
import sys

from prometheus_client import CollectorRegistry, start_http_server

from sluice.errors import SluiceError
from sluice.gateway import log
from sluice.gateway.configuration import Configuration, load_configuration
from sluice.gateway.draw import check_draw
from sluice.gateway.listening import PortTaken, bind
from sluice.gateway.process_settings import ProcessSettings
from sluice.gateway.workers import Workers, inherited_listener


def main() -> int:
    """Run the gateway and return its exit code."""
    log.configure_logging()
    try:
        settings = ProcessSettings.from_environment(os.environ)
        log.configure_logging(settings.log_level)
        configuration = load_configuration(settings.folder / "config" / "gateway.json")
        check_draw(configuration.draw)
        listener = inherited_listener()
        if listener is not None:
            _serve(settings, configuration, listener)
            return 0
        return _start(settings, configuration)
    except SluiceError as error:
        print(f"sluice gateway: {error}", file=sys.stderr)
        return error.exit_code


def _start(settings: ProcessSettings, configuration: Configuration) -> int:
    listener = bind(settings.host, settings.port, "SLUICE_GATEWAY_PORT")
    workers = Workers(settings, listener) if settings.workers > 1 else None
    metrics = workers.registry if workers else CollectorRegistry()
    metrics_port = _serve_metrics(metrics, settings)
    log.info(
        "starting",
        environment=configuration.environment,
        agents=sorted(configuration.agents),
        port=listener.getsockname()[1],
        metrics_port=metrics_port,
        workers=settings.workers,
    )
    if workers:
        exit_code = workers.run()
    else:
        exit_code = 0
        _serve(settings, configuration, listener, metrics)
    log.info("stopped")
    return exit_code


def _serve(
    settings: ProcessSettings,
    configuration: Configuration,
    listener: socket.socket,
    metrics: CollectorRegistry | None = None,
) -> None:
    # Here and not above: the parent of several workers needs none of it, and stays at a third of their memory.
    from sluice.gateway.app import Gateway
    from sluice.gateway.server import serve

    log.write_in_background()
    serve(Gateway(configuration, settings, metrics=metrics), settings, listener)


def _serve_metrics(metrics: CollectorRegistry, settings: ProcessSettings) -> int:
    # In a thread of its own: it answers even while the loop is busy, and until the very end of a drain.
    try:
        server, _thread = start_http_server(settings.metrics_port, settings.host, metrics)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortTaken(settings.host, settings.metrics_port, "SLUICE_GATEWAY_METRICS_PORT", reason) from error
    return int(server.server_port)


if __name__ == "__main__":
    sys.exit(main())
