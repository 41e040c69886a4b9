"""Finite populations with known truth, and surveys of them as contractors deliver them.

Belongs here: simulated data, which always say that they are. Not here: anything that estimates.
"""
