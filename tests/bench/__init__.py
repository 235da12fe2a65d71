"""Benchmarks: each measures the hub against a peer or a floor in the same run, and says whether the target is met."""
