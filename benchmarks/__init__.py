"""Measurements of speed and memory: ``python -m benchmarks --data DIR|simulated --output FILE.json``."""
