"""Which assets are made together.

Belongs here: jobs. Not here: when they run (``sensors``), or the assets themselves.
"""

from __future__ import annotations

import dagster as dg

build = dg.define_asset_job(
    "build",
    selection=dg.AssetSelection.all(),
    description=(
        "Everything, from survey files to a published release. Surveys that did not change are not computed again; "
        "one that cannot be read is named, and the others are published."
    ),
)
