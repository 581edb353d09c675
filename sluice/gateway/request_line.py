"""The log line of a request that has ended: who asked, who answered, how it went and what it took.

What is not here is left out on purpose: no text of a message, no user, no key, no name of an agent that nobody knows.
"""

from __future__ import annotations

from sluice.gateway.metrics import Record


def request_line(record: Record, seconds: float) -> dict[str, object]:
    """Return the line's fields; what is not known is null. Dollars are at the answering model's price."""
    usage, model = record.usage, record.model
    return {
        "caller": record.caller,
        "agent": record.agent,
        "arm": record.arm,
        "model": model.name if model is not None else None,
        "outcome": record.outcome,
        "status": record.status or None,
        "cache": record.cache,
        "milliseconds": round(seconds * 1000, 1),
        "input_tokens": usage.input_tokens if usage is not None else None,
        "output_tokens": usage.output_tokens if usage is not None else None,
        "cost_dollars": round(usage.dollars(model), 9) if usage is not None and model is not None else None,
        "provider_request_id": record.provider_request_id,
        "trace_id": record.trace_id,
    }
