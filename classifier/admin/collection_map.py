"""Page with the map of the collection."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.dispatch import request_run
from classifier.models import Run
from classifier.selectors.collection_map import last_drawn, map_points
from library.admin_site.users import signed_in
from library.admin_site.widgets.charts import CHART_MEDIA, Chart, Series, scatter


def map_page(model_admin: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show the map; a POST requests a run that redraws it."""
    if not (model_admin.has_view_permission(request) and request.user.has_perm("catalogue.view_book")):
        raise PermissionDenied
    can_redraw = request.user.has_perm("classifier.add_run")
    if request.method == "POST":
        if not can_redraw:
            raise PermissionDenied
        requested = request_run(
            kind=Run.Kind.DRAW_MAP,
            trigger=Run.Trigger.MANUAL,
            now=timezone.now(),
            user=signed_in(request.user),
        )
        model_admin.message_user(request, requested.message, messages.SUCCESS)
        return HttpResponseRedirect(request.path)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Collection map"),
        "opts": model_admin.opts,
        "media": CHART_MEDIA,
        "chart": _chart(),
        "last_drawn": last_drawn(),
        "can_redraw": can_redraw,
        "run": Run.objects.filter(kind=Run.Kind.DRAW_MAP, status__in=Run.ACTIVE).first(),
    }
    return render(request, "classifier/map.html", context)


def _chart() -> Chart:
    points = map_points()
    return scatter(
        name="map",
        title=_("Similar books are close together"),
        definition=_(
            "Each point is a book, coloured by its category or suggested category. Close points "
            "are similar; axes and distances between groups have no meaning."
        ),
        labels=[point.title for point in points],
        x=Series("x", [round(point.x, 4) for point in points]),
        y=Series("y", [round(point.y, 4) for point in points]),
        label_name=_("book"),
        groups=[str(point.category or _("no category")) for point in points],
        links=[reverse("admin:catalogue_book_change", args=[point.book]) for point in points],
    )
