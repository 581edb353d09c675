"""What runs in the pod of the optional LiteLLM: its proxy, with no database, behind a list of what it may answer.

It stands behind the gateway for providers that speak a dialect of their own. Its image holds nothing else of ours.
"""
