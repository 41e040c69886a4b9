"""From a contractor's file to a first draft of its `survey.yaml`, every guess with its evidence.

Belongs here: reading what a file says of itself, matching it to the catalogue, writing the page. Not here: building a survey.
"""
