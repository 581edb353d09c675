"""Sluice rolls fine-tuned models out behind one LLM gateway on Kubernetes."""

__version__ = "0.1.0"
