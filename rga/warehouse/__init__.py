"""What is published: schema, staging, releases.

Belongs here: files and databases. Not here: estimation (``rga.survey``).
"""
