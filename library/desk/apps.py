from django.apps import AppConfig


class DeskConfig(AppConfig):
    name = "library.desk"
    label = "desk"
