"""Stand-in for a web server: each line on standard input is the JSON of the arguments of `request_run`.

The response is the run's number and whether it is new, or the name and the message of an exception.
"""

import json
import sys

import django
from django.db import close_old_connections
from django.utils import timezone


def respond(line: str) -> list[object]:
    from classifier.dispatch import request_run

    close_old_connections()  # as before each HTTP request
    try:
        requested = request_run(trigger="manual", now=timezone.now(), **json.loads(line))
    except Exception as error:
        return [type(error).__name__, str(error)]
    return [requested.run.pk, requested.is_new]


django.setup()
for line in sys.stdin:
    print(json.dumps(respond(line)), flush=True)
