from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CirculationConfig(AppConfig):
    name = "library.circulation"
    label = "circulation"
    verbose_name = _("Circulation")

    def ready(self) -> None:
        # Imports the models, which are loaded only now.
        from library.circulation.selectors.export import add_circulation

        add_circulation()
