"""How soon a candidate that always fails is sent back, by the guard's own queries and gates."""
