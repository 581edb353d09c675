"""Puts an environment into a cluster with Pulumi, says why when it fails, and asks the gateway that is there."""
