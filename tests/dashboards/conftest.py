"""Debian's promtool and Prometheus, as the rules' own tests have them."""

from tests.rules.conftest import programs, promtool

__all__ = ["programs", "promtool"]
