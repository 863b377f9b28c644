from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CirculationConfig(AppConfig):
    name = "library.circulation"
    label = "circulation"
    verbose_name = _("Circulation")

    def ready(self) -> None:
        # Needs the models, which are there only now.
        from library.circulation.selectors.export import add_circulation

        add_circulation()
