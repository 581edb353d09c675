"""The series of a metric, each looked up by its labels once: the library's own look-up costs more than to count."""

from __future__ import annotations

from typing import Generic, TypeVar

from prometheus_client.metrics import MetricWrapperBase

Metric = TypeVar("Metric", bound=MetricWrapperBase)


class Series(dict[tuple[str, ...], Metric], Generic[Metric]):
    """The series that were asked for, by the values of their labels, which must be bounded as the metric's own are."""

    def __init__(self, metric: Metric) -> None:
        self._metric = metric

    def __missing__(self, labels: tuple[str, ...]) -> Metric:
        """Find a series the first time."""
        series = self[labels] = self._metric.labels(*labels)
        return series
