"""The rules of meaning: what a schema cannot say, each a small function with an id, a severity and a page of its own.

They look at what is declared and yield where a rule is broken; what is shown of that, and where, is not decided here.
"""
