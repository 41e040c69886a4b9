"""Research files in which nobody can be found: what is coarsened and suppressed, what risk is left, and how the file is written.

Belongs here: statistical disclosure control of respondents' records. Not here: recognising direct identifiers
(``rga.microdata.identifiers``), hiding cells of published tables.
"""
