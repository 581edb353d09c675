"""Debian's promtool and Prometheus, as the rules' own tests have them, and what a gateway's tests start it with."""

from tests.gateway.conftest import anyio_backend, mounted, stub
from tests.rules.conftest import programs, promtool

__all__ = ["anyio_backend", "mounted", "programs", "promtool", "stub"]
