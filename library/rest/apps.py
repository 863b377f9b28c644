from django.apps import AppConfig


class RestConfig(AppConfig):
    name = "library.rest"
    label = "rest"
