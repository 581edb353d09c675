"""How well the built-in scorer ranks answers that people labelled, and what an answer costs it."""
