from django.apps import AppConfig
from django.core.checks import Tags, register
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    name = "library.people"
    label = "people"
    verbose_name = _("People")

    def ready(self) -> None:
        # Needs the models, which are there only now.
        from library.people.checks import keys_fit_the_database

        register(keys_fit_the_database, Tags.database)
