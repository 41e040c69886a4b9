"""The attacker: what whoever holds a release can compute of the numbers that it hides.

Belongs here: programs that read nothing but what is published, and say of each hidden share how many values its numerator can still
have. Not here: what to hide (``rga.survey.disclosure``), how the release is checked with it (``rga.warehouse.verify``).

The route, a module each: ``published`` reads the tables as intervals, a number being known within half its printed step;
``observed`` has weights of single respondents from differences of `population`; ``model`` completes them by the calibration model,
which `weighting` and `margins` describe; ``sums`` has what classes of respondents make a base or a numerator up; ``numerators`` has
what a total less the shown cells leaves for the hidden ones; ``findings`` puts them together.
"""
