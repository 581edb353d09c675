"""How long an assignment takes, and taking over the flags of many agents."""
