"""How long a real Prometheus computes the rules of an environment, for few agents and for many."""
