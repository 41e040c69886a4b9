"""When and with what: definitions, partitions, jobs, schedules, sensors, resources and the ``rga`` command.

Belongs here: orchestration. Not here: what is made (``assets``) or how (``rga``).
"""

import time

STARTED = time.monotonic()  # as early as this process can tell, so that a build's time has the loading of libraries in it
