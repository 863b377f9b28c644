"""The status of the installation in the REST API."""

from importlib.metadata import version

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.rest.operations.installation_counts import installation_counts

StatusSerializer = inline_serializer(
    "Status",
    {
        "version": serializers.CharField(),
        "counts": serializers.DictField(
            child=serializers.DictField(), help_text="Counts by app, and the active model version."
        ),
    },
)


class StatusView(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=StatusSerializer)
    def get(self, request: Request) -> Response:
        """Version, record counts, queued and running jobs, and the active model version."""
        return Response({"version": version("library-analytics"), "counts": installation_counts()})
