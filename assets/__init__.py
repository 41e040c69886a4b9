"""What is made from what: one thin Dagster module per stage, in the order the data flows.

Belongs here: assets and their metadata. Not here: how anything is computed (``rga``), when it runs (``pipelines``).
"""
