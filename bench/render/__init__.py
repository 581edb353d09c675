"""How long it takes to render an environment of many agents."""
