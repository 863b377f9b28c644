"""Check that the web server in this container is ready; exit with 1 if not."""

import os
import urllib.request

# Like a request through the proxy: over HTTPS, to an allowed host (".example.org" allows all subdomains).
host = os.environ["ALLOWED_HOSTS"].split(",")[0].strip().lstrip(".*") or "localhost"
request = urllib.request.Request(
    "http://127.0.0.1:8000/health/ready",
    headers={"Host": host, "X-Forwarded-Proto": "https"},
)
urllib.request.urlopen(request, timeout=5)  # noqa: S310
