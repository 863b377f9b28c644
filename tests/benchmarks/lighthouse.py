"""Measure admin pages with Lighthouse: performance and accessibility, on a desktop and on a phone.

    python tests/benchmarks/lighthouse.py FOLDER [--pages NAME ...] [--times 3] [--keep FOLDER]

FOLDER is a data folder with a library, for example from ``LIBRARY_DATA_DIR=FOLDER manage.py demo
--no-serve``. It is served as in production, and Lighthouse visits the pages as a logged-in administrator.
Lighthouse (``npm install lighthouse``) needs Node and a Chromium, whose path is in CHROME_PATH. Prints the
medians, and the audits that keep a page from 100. Needs an idle machine: the scores of the phone are computed
from times on this one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from clients import ROOT, serve

PAGES = {
    "home": "/admin/",
    "review": "/admin/classifier/review/next/",
    "statistics": "/admin/analytics/statistics/",
    "import": "/admin/catalogue/book/import/",
}
CATEGORIES = ("performance", "accessibility")
#: Lighthouse's presets: a desktop with a fast connection, a phone with a slow one and a quarter of the speed.
PRESETS: dict[str, list[str]] = {"desktop": ["--preset=desktop"], "mobile": []}
#: Lighthouse must be run again if the trace of the browser has no start (NO_NAVSTART).
_MAX_ATTEMPTS = 3
CHROME = "--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-background-networking"


def session_cookie() -> str:
    """Return the session cookie of an administrator."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    user = User.objects.filter(is_superuser=True).earliest("pk")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "library.people.backends.AuditedBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    # The cookie's name in production.
    return f"__Host-sessionid={session.session_key}"


def run_lighthouse(url: str, preset: str, cookie: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return Lighthouse's report of a page."""
    command = [options.lighthouse, url, "--output=json", "--quiet", CHROME, *PRESETS[preset]]
    command += [
        f"--only-categories={','.join(CATEGORIES)}",
        "--extra-headers",
        json.dumps({"Cookie": cookie}),
    ]
    for _attempt in range(_MAX_ATTEMPTS):
        # It prints the reason of a failure.
        completed = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if completed.returncode == 0:
            break
    else:
        raise SystemExit(f"{url}: Lighthouse failed {_MAX_ATTEMPTS} times")
    report = json.loads(completed.stdout)
    if report["finalDisplayedUrl"] != url or report.get("runtimeError"):
        raise SystemExit(f"{url}: {report.get('runtimeError') or report['finalDisplayedUrl']}")
    return report


def failed_audits(report: dict[str, Any]) -> list[str]:
    """Return the audits that reduce a score."""
    audits = []
    for category in CATEGORIES:
        for part in report["categories"][category]["auditRefs"]:
            audit = report["audits"][part["id"]]
            if part["weight"] and audit["score"] is not None and audit["score"] < 0.9:
                audits.append(f"{audit['id']} {audit['score']:.2f} {audit.get('displayValue', '')}")
    return audits


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lighthouse", default="lighthouse")
    parser.add_argument("--pages", nargs="*", choices=PAGES, default=list(PAGES))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="save the reports in this folder")
    options = parser.parse_args()
    os.environ |= {"DJANGO_SETTINGS_MODULE": "library.settings.dev", "LIBRARY_DATA_DIR": str(options.folder)}
    sys.path[:0] = [str(ROOT)]

    import django

    django.setup()
    from django.core.management import call_command
    from django.test import override_settings
    from django.utils import timezone

    hashed = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    with override_settings(STORAGES={"staticfiles": {"BACKEND": hashed}}):
        call_command("collectstatic", interactive=False, verbosity=0)
    cookie = session_cookie()
    print(f"{'':12}{'':9}" + "".join(f"{name:>15}" for name in CATEGORIES))
    with serve(now=timezone.now()) as api:
        for name in options.pages:
            for preset in PRESETS:
                url = f"http://127.0.0.1:{api.port}{PAGES[name]}"
                reports = [run_lighthouse(url, preset, cookie, options) for _ in range(options.times)]
                scores = [
                    statistics.median(100 * report["categories"][category]["score"] for report in reports)
                    for category in CATEGORIES
                ]
                print(f"{name:12}{preset:9}" + "".join(f"{score:15.0f}" for score in scores), flush=True)
                for audit in failed_audits(reports[-1]):
                    print(f"{'':21} {audit}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    file = options.keep / f"{name}-{preset}.json"
                    file.write_text(json.dumps(reports[-1]), encoding="utf-8")


if __name__ == "__main__":
    main()
