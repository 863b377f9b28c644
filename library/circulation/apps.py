from django.apps import AppConfig


class CirculationConfig(AppConfig):
    name = "library.circulation"
    label = "circulation"
