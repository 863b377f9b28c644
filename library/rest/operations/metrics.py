"""Metrics for Prometheus: requests, and installation counts. No label names a person or a record."""

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
from library.rest.operations.installation_counts import installation_counts


class InstallationCounts(Collector):
    """The numeric installation counts, computed on request, so every process reports the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for app, counts in installation_counts().items():
            for name, value in counts.items():
                if isinstance(value, int):
                    text = f"{name.replace('_', ' ')} in the library’s {app}"
                    yield GaugeMetricFamily(f"library_{app}_{name}", text, value=value)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Return the metrics to clients within ``METRICS_NETWORKS``."""
    address = ip_address(client_address(request))
    if not any(address in ip_network(network) for network in settings.METRICS_NETWORKS):
        raise PermissionDenied
    response = ExportToDjangoView(request)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(InstallationCounts())
    response.content += generate_latest(registry)
    return response
