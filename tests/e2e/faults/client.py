"""The part of a web server: a process that stays, and asks for a run for each line that it is sent.

A line is the JSON of what `classifier.dispatch.ask` takes. It answers with the run's number and whether it is
new, or with an error's name and words.
"""

import json
import sys

import django
from django.db import close_old_connections
from django.utils import timezone


def answer(line: str) -> list[object]:
    from classifier.dispatch import ask

    close_old_connections()  # as before each request
    try:
        asked = ask(trigger="manual", now=timezone.now(), **json.loads(line))
    except Exception as error:
        return [type(error).__name__, str(error)]
    return [asked.run.pk, asked.is_new]


django.setup()
for line in sys.stdin:
    print(json.dumps(answer(line)), flush=True)
