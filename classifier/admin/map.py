"""The map of the collection."""

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.dispatch import ask
from classifier.models import Run
from classifier.selectors.collection_map import drawn, places
from library.admin_site.users import signed_in
from library.admin_site.widgets.charts import CHART_MEDIA, Chart, Series, scatter


def map_page(model_admin: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show the map; a POST asks for it to be drawn anew."""
    if not (model_admin.has_view_permission(request) and request.user.has_perm("catalogue.view_book")):
        raise PermissionDenied
    may_draw = request.user.has_perm("classifier.add_run")
    if request.method == "POST":
        if not may_draw:
            raise PermissionDenied
        asked = ask(
            kind=Run.Kind.DRAW_MAP,
            trigger=Run.Trigger.MANUAL,
            now=timezone.now(),
            user=signed_in(request.user),
        )
        model_admin.message_user(request, asked.sentence, messages.SUCCESS)
        return HttpResponseRedirect(request.path)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Map of the collection"),
        "opts": model_admin.opts,
        "media": CHART_MEDIA,
        "chart": _chart(),
        "drawn": drawn(),
        "may_draw": may_draw,
        "run": Run.objects.filter(kind=Run.Kind.DRAW_MAP, status__in=Run.ACTIVE).first(),
    }
    return render(request, "classifier/map.html", context)


def _chart() -> Chart:
    found = places()
    return scatter(
        name="map",
        title=_("Books that are alike lie near each other"),
        definition=_(
            "Each point is a book, coloured by the category that it is filed under or suggested. "
            "Only nearness counts: the axes and the distance between far groups mean nothing."
        ),
        labels=[place.title for place in found],
        across=Series("x", [round(place.x, 4) for place in found]),
        up=Series("y", [round(place.y, 4) for place in found]),
        label_name=_("book"),
        groups=[str(place.category or _("no category")) for place in found],
        links=[reverse("admin:catalogue_book_change", args=[place.book]) for place in found],
    )
