from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ClassifierConfig(AppConfig):
    name = "classifier"
    verbose_name = _("AI cataloguing")

    def ready(self) -> None:
        # Imports models, which are not loaded before.
        from classifier.export import add_classifier

        add_classifier()
