"""The report of an environment: what became of each agent in the last days, on one page that stands alone.

`asking` fills in `Material` from Prometheus; `findings` makes of it what people ask about, by the gates' own functions;
`page` and `data` write that down as HTML and as JSON. Only `asking` needs a server.
"""
