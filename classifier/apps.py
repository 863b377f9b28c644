from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _


class ClassifierConfig(AppConfig):
    name = "classifier"
    verbose_name = _("AI cataloguing")

    def ready(self) -> None:
        # Imports models, which are not loaded before.
        from classifier.export import add_classifier
        from classifier.pipeline.errors import ConfigError
        from classifier.pipeline.text.segmentation import use_dictionary

        add_classifier()
        try:
            use_dictionary(settings.JIEBA_USER_DICT)
        except ConfigError as error:
            raise ImproperlyConfigured(error.message) from error
