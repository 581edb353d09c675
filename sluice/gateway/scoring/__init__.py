"""Scores answers off the path of a request: the built-in scorer, its sampling, and a judge model as an option."""
