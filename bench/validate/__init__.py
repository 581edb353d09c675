"""How long it takes to validate a registry, beside check-jsonschema on the same file in the same run."""
