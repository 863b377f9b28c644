"""URL configuration; each app brings its own URLs."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("library.admin_site.urls")),
    path("", include("library.rest.operations.urls")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("api/", include("library.rest.urls")),
    path("api/v1/", include("library.catalogue.api")),
    path("api/v1/", include("library.people.api")),
    path("api/v1/", include("library.circulation.api")),
    path("api/v1/stats/", include("library.analytics.api")),
    path("api/v1/", include("classifier.api")),
]
