"""The WSGI entry point: ``gunicorn library.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings.production")

application = get_wsgi_application()

# After the application, because it needs the models.
from library.people.services.key_check import confirm_startup_keys  # noqa: E402

confirm_startup_keys()
