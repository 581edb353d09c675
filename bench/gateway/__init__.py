"""The gateway beside LiteLLM's proxy and the bare stub provider, on one machine in one run."""
