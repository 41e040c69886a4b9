"""When and with what: definitions, partitions, jobs, schedules, sensors, resources and the ``rga`` command.

Belongs here: orchestration. Not here: what is made (``assets``) or how (``rga``).
"""
