"""URLs of the public pages and media files."""

from django.urls import path

from library.admin_site import views

urlpatterns = [
    path("", views.home, name="home"),
    path("media/covers/<path:path>", views.media, {"folder": "covers"}, name="cover"),
    path("media/audio/<path:path>", views.media, {"folder": "audio"}, name="recording"),
]
