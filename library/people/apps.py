from django.apps import AppConfig


class PeopleConfig(AppConfig):
    name = "library.people"
    label = "people"
