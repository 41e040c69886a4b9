"""Measurements, not tests: speed and memory as ratios within one run.

Belongs here: scripts that `make bench` runs. Not here: anything that passes or fails on time.
"""
