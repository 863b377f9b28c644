"""Answers with the fields that were asked for, and no others."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

#: Of the schema of every view with a `ChosenFields` serializer.
FIELDS_PARAMETER = OpenApiParameter(
    "fields",
    str,
    description="Names of the fields to answer with, commas between; by default all. Fewer are quicker.",
    examples=[OpenApiExample("a few", value="id,title,authors")],
)


def chosen_fields(*, request: Request, known: Sequence[str]) -> list[str] | None:
    """Return the fields that a request for reading asks for in ``?fields=``.

    Parameters
    ----------
    request : Request
    known : sequence of str

    Returns
    -------
    list of str or None
        In the order of `known`; None if all are wanted: none are named, or something is written.

    Raises
    ------
    ValidationError
        That names those that are not known.
    """
    if request.method not in ("GET", "HEAD") or "fields" not in request.query_params:
        return None
    named = {name.strip() for name in request.query_params["fields"].split(",")} - {""}
    unknown = sorted(named.difference(known))
    if unknown or not named:
        words = _("Not known: %(unknown)s. There are: %(known)s.") if unknown else _("There are: %(known)s.")
        raise serializers.ValidationError(
            {"fields": [words % {"unknown": ", ".join(unknown), "known": ", ".join(known)}]}
        )
    return [name for name in known if name in named]


class ChosenFields(serializers.Serializer):
    """A serializer that leaves out what its context's ``fields`` does not name, and so never works it out."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        wanted = self.context.get("fields")
        return fields if wanted is None else {name: fields[name] for name in wanted}
