"""Serializer helpers for all apps."""

from copy import copy
from typing import Any

from django.core.exceptions import ValidationError as ModelError
from django.db.models import Model
from rest_framework import serializers
from rest_framework.request import Request

from library.rest.errors.handler import ParameterError


class RecordSerializer(serializers.ModelSerializer):
    """A model serializer that checks all constraints of the model.

    REST framework checks unique constraints only; a violated check constraint would become a database error.
    """

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        model: type[Model] = self.Meta.model
        record = copy(self.instance) if self.instance else model()
        for name, value in attrs.items():
            setattr(record, name, value)
        try:
            record.validate_constraints()
        except ModelError as error:
            raise serializers.ValidationError({"non_field_errors": error.messages}) from error
        return attrs


def validated_body(serializer_class: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    """Return the validated body of a request."""
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def validated_query(serializer_class: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    """Return the validated query parameters of a request."""
    serializer = serializer_class(data=request.query_params)
    if not serializer.is_valid():
        raise ParameterError(serializer.errors)
    return dict(serializer.validated_data)
