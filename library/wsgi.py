"""The WSGI entry point: ``gunicorn library.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings.production")

application = get_wsgi_application()

# Needs the models, which are there only now.
from library.people.services.key_check import start_with_keys  # noqa: E402

start_with_keys()
