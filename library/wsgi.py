"""The WSGI entry point: ``gunicorn library.wsgi``."""

import os

from django.core.wsgi import get_wsgi_application

from library.startup import exit_on_invalid_settings

#: The status with which a worker of gunicorn reports an unusable application; at 2, gunicorn would start it
#: again and again.
_APP_LOAD_ERROR = 4

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "library.settings.production")

with exit_on_invalid_settings(status=_APP_LOAD_ERROR):
    application = get_wsgi_application()

# After the application, because it needs the models.
from library.people.services.key_check import confirm_startup_keys  # noqa: E402

confirm_startup_keys()
