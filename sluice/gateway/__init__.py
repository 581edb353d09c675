"""What runs inside the gateway pod: OpenAI's chat API in, the assigned model's answer out, counted on the way.

`pipeline.py` shows the order of the steps; each step is a module of its own. Nothing here imports more of sluice than
its errors, so that the image holds this folder and little else.
"""
