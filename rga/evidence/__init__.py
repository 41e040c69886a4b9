"""Evidence that is not a survey: search interest, policy measures.

Belongs here: reading and checking it, with its source. Not here: anything estimated from respondents.
"""
