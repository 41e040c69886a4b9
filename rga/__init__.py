"""Rapid gender assessment surveys: from microdata files to published estimates.

Belongs here: how things are done, usable from a notebook. Not here: when and with what (``pipelines``, ``assets``);
nothing under this package knows of Dagster.
"""
