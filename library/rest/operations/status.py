"""The state of the installation in the REST API."""

from importlib.metadata import version

from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.rest.operations.statistics_registry import figures

StatusSerializer = inline_serializer(
    "Status",
    {
        "version": serializers.CharField(),
        "figures": serializers.DictField(
            child=serializers.DictField(), help_text="By app: how many there are, and which model is active."
        ),
    },
)


class StatusView(APIView):
    permission_classes = [IsAuthenticated]

    @extend_schema(responses=StatusSerializer)
    def get(self, request: Request) -> Response:
        """Which version runs, how much it keeps, what waits in the queue, and which model is active."""
        return Response({"version": version("library-analytics"), "figures": figures()})
