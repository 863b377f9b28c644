"""What the endpoints of all apps share."""

from rest_framework import mixins, viewsets


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
