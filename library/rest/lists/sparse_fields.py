"""Responses with only the requested fields (``?fields=``)."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

#: For the schema of every view with a `SparseFields` serializer.
FIELDS_PARAMETER = OpenApiParameter(
    "fields",
    str,
    description="The fields of the response, separated by commas; default: all. Fewer fields are faster.",
    examples=[OpenApiExample("a few", value="id,title,authors")],
)


def requested_fields(*, request: Request, allowed: Sequence[str]) -> list[str] | None:
    """Return the fields named in ``?fields=`` of a read request.

    In the order of `allowed`; None means all fields: no parameter, or a request that writes.

    Raises
    ------
    ValidationError
        If a field is unknown, or none is named.
    """
    if request.method not in ("GET", "HEAD") or "fields" not in request.query_params:
        return None
    names = {name.strip() for name in request.query_params["fields"].split(",")} - {""}
    unknown = sorted(names.difference(allowed))
    if unknown or not names:
        message = (
            _("Unknown fields: %(unknown)s. Available fields: %(known)s.")
            if unknown
            else _("Name at least one field. Available fields: %(known)s.")
        )
        raise serializers.ValidationError(
            {"fields": [message % {"unknown": ", ".join(unknown), "known": ", ".join(allowed)}]}
        )
    return [name for name in allowed if name in names]


class SparseFields(serializers.Serializer):
    """A serializer restricted to the names in its context's ``fields``; others are never computed."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        names = self.context.get("fields")
        return fields if names is None else {name: fields[name] for name in names}
