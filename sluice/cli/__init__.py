"""The `sluice` command: parses, calls, prints; decides nothing."""
