from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ClassifierConfig(AppConfig):
    name = "classifier"
    verbose_name = _("Classifier")

    def ready(self) -> None:
        # Needs the models, which are there only now.
        from classifier.export import add_classifier

        add_classifier()
