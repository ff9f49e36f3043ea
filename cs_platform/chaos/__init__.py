"""Faults on purpose: the real engine is killed, frozen and flushed while it works, then its rows are checked."""
