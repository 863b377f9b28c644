"""What the endpoints of all apps share."""

from typing import Any

from django.conf import settings
from rest_framework import mixins, viewsets
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.exceptions import Throttled, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response


class RecordViewSet(
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    mixins.UpdateModelMixin,
    viewsets.GenericViewSet,
):
    """List, read, create and change.

    No PUT: a value left out by mistake would be cleared; PATCH changes what it names. No DELETE: records
    that loans refer to are kept.
    """

    http_method_names = ["get", "post", "patch", "head", "options"]


class TokenView(ObtainAuthToken):
    """Exchange a name and a password for a token.

    Failures count together with those of the admin's login page; after too many even the right password
    waits, and the answer is 429.
    """

    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        try:
            return super().post(request, *args, **kwargs)
        except ValidationError as error:
            if getattr(request, "axes_locked_out", False):
                raise Throttled(wait=settings.AXES_COOLOFF_TIME.total_seconds()) from error
            raise
