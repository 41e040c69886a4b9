"""A release in other forms: files and documents.

Belongs here: what is made from a finished release. Not here: any number that the release does not hold.
"""
