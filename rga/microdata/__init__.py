"""From files as contractors deliver them to one harmonised row per respondent.

Belongs here: the YAML contracts, readers, harmonising. Not here: weighting and estimation (``rga.survey``).
"""
