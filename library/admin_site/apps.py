from django.apps import AppConfig


class AdminSiteConfig(AppConfig):
    name = "library.admin_site"
    label = "admin_site"
