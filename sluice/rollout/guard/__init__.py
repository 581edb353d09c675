"""The guard: a process in the cluster that sends a candidate which does harm back by itself, and nothing else.

`loop` has its rounds, `court` measures and judges, `lease` says which of several guards acts, `notes` writes down what
was done. What it stands on is small: no Kubernetes client, no engine, no YAML.
"""
