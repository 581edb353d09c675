"""A provider that is made up: speaks OpenAI's chat API and answers as it is told to, for `dev` and for tests.

It stands where the addresses of Mistral, OpenAI and Anthropic stand. Its dials (latency, errors, quality, tokens) are
turned while it runs, below /control; every answer says that it is made.
"""
