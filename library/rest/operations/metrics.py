"""Metrics for Prometheus: how requests went, and the figures. No label names a person or a record."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from library.rest.auth.throttles import client_address
from library.rest.operations.statistics_registry import figures


class Figures(Collector):
    """The figures that are numbers, counted when they are asked for: the same from every process."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for app, numbers in figures().items():
            for name, number in numbers.items():
                if isinstance(number, int):
                    text = f"{name.replace('_', ' ')} in the library’s {app}"
                    yield GaugeMetricFamily(f"library_{app}_{name}", text, value=number)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Tell those whose address the setting ``METRICS_NETWORKS`` names."""
    address = ip_address(client_address(request))
    if not any(address in ip_network(network) for network in settings.METRICS_NETWORKS):
        raise PermissionDenied
    response = ExportToDjangoView(request)
    own = CollectorRegistry(auto_describe=False)
    own.register(Figures())
    response.content += generate_latest(own)
    return response
