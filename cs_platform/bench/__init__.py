"""Ratios between the engine and what it is compared with, measured in one process (docs/benchmarks.md)."""
