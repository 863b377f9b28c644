from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RestConfig(AppConfig):
    name = "library.rest"
    label = "rest"
    verbose_name = _("REST API")

    def ready(self) -> None:
        # Registers the extensions; needs the models.
        from library.rest.schema import schema  # noqa: F401
