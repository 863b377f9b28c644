from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    name = "library.people"
    label = "people"
    verbose_name = _("People")

    def ready(self) -> None:
        # The check imports the models, which are loaded by now.
        from library.people.checks import check_keys

        register(check_keys, Tags.database)
