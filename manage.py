#!/usr/bin/env python
"""Run an administrative command: ``python manage.py COMMAND --help``."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings.dev")
    from django.core.management import execute_from_command_line

    from library.startup import exit_on_invalid_settings

    with exit_on_invalid_settings():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
