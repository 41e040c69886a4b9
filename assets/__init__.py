"""What is made from what: one thin Dagster module per stage, in the order the data flows.

Belongs here: assets and their metadata. Not here: how anything is computed (``rga``), when it runs (``pipelines``).
"""

import warnings

from dagster import BetaWarning, PreviewWarning

# `backfill_policy` of @asset is marked beta, partitions of a check a preview;
# the pin of Dagster's release in pyproject.toml is our answer to that.
warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=BetaWarning)
warnings.filterwarnings("ignore", message=".*partitions_def on an AssetCheckSpec.*", category=PreviewWarning)
