"""`pulumi up` beside `helm upgrade` and `kubectl apply`: the same objects, in the same cluster, in one run."""
