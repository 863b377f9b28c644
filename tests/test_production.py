"""Production settings, loaded in a separate process because they are read only once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

ROOT = Path(__file__).parents[1]
KEY = "kqV3x-0pYw_Zr8sT1uB6nM4cL9aH2gJ5dF7eQiOoXyWvUzEtRb"
VARIABLES = (
    "SECRET_KEY",
    "BORROWER_KEYS",
    "BORROWER_INDEX_KEY",
    "ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS",
    "SECURE_HSTS_SECONDS",
    "DATABASE_URL",
)


def run(data_folder, *arguments, **environment):
    """Run Python with the production settings, without this process's own settings."""
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    (static := data_folder / "static").mkdir(exist_ok=True)
    defaults = {
        "DJANGO_SETTINGS_MODULE": "library.settings.production",
        "LIBRARY_DATA_DIR": str(data_folder),
        "STATIC_ROOT": str(static),
        "SECRET_KEY": KEY,
        "ALLOWED_HOSTS": "library.example",
        "BORROWER_KEYS": Fernet.generate_key().decode(),
        "BORROWER_INDEX_KEY": Fernet.generate_key().decode(),
    }
    variables = {name: value for name, value in (defaults | environment).items() if value is not None}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=inherited | variables,
        capture_output=True,
        text=True,
        check=False,
    )


CREATE_KEY = 'Create one with: python -c "import secrets; print(secrets.token_urlsafe(50))".'
LIST_HOSTS = "List the host names of the library, separated by commas, for example library.example."


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SECRET_KEY", None, 'Environment variable "SECRET_KEY" not set'),
        ("SECRET_KEY", "", f"SECRET_KEY is empty. {CREATE_KEY}"),
        ("SECRET_KEY", "changeme", f"SECRET_KEY has 8 characters; at least 50 are required. {CREATE_KEY}"),
        ("SECRET_KEY", KEY[:49], f"SECRET_KEY has 49 characters; at least 50 are required. {CREATE_KEY}"),
        ("SECRET_KEY", "abcd" * 20, f"SECRET_KEY has too few different characters. {CREATE_KEY}"),
        (
            "SECRET_KEY",
            f"django-insecure-{KEY}",
            f"SECRET_KEY is a publicly known example. {CREATE_KEY}",
        ),
        ("BORROWER_KEYS", None, 'Environment variable "BORROWER_KEYS" not set'),
        ("BORROWER_INDEX_KEY", None, 'Environment variable "BORROWER_INDEX_KEY" not set'),
        ("ALLOWED_HOSTS", None, 'Environment variable "ALLOWED_HOSTS" not set'),
        ("ALLOWED_HOSTS", "", f"ALLOWED_HOSTS is empty. {LIST_HOSTS}"),
        ("ALLOWED_HOSTS", "library.example,*", f"ALLOWED_HOSTS is library.example,*. {LIST_HOSTS}"),
        (
            "CSRF_TRUSTED_ORIGINS",
            "http://library.example",
            "CSRF_TRUSTED_ORIGINS contains http://library.example. Start each origin with https://, for "
            "example https://library.example.",
        ),
        (
            "SECURE_HSTS_SECONDS",
            "0",
            ("SECURE_HSTS_SECONDS is 0. It must be at least 1; 31536000 is a year. Use 60 to try out HTTPS."),
        ),
        (
            "LOGIN_FAILURES",
            "0",
            'Environment variable "LOGIN_FAILURES" invalid: Must be greater than or equal to 1.',
        ),
        (
            "NUM_PROXIES",
            "-1",
            'Environment variable "NUM_PROXIES" invalid: Must be greater than or equal to 0.',
        ),
    ],
)
def test_invalid_setting_stops_startup_with_a_message(data_folder, name, value, message):
    started = run(data_folder, "-c", "import library.wsgi", **{name: value})
    # Gunicorn stops at this status; at 2, it starts the worker again.
    assert (started.returncode, started.stderr) == (4, f"Invalid settings: {message}\n")


def test_valid_settings_pass_the_deployment_check(data_folder):
    checked = run(data_folder, "-W", "error", "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert (checked.returncode, checked.stdout) == (0, "System check identified no issues (0 silenced).\n")


REPORT = """
import json
import library.wsgi
from django.conf import settings
from django.test import Client
client = Client(headers={"host": "library.example"})
plain, safe = client.get("/health/live"), client.get("/health/live", secure=True)
language = client.post("/i18n/setlang/", {"language": "zh-hans", "next": "/"}, secure=True)
cookie = language.cookies[settings.LANGUAGE_COOKIE_NAME]
print(json.dumps({
    "plain": [plain.status_code, plain["Location"]],
    "safe": [safe.status_code, dict(safe.items())],
    "cookie": bool(cookie["secure"]),
    "foreign": client.get("/health/live", secure=True, headers={"host": "evil.example"}).status_code,
    "settings": {name: getattr(settings, name) for name in (
        "DEBUG", "SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY",
        "SESSION_COOKIE_SAMESITE", "SESSION_EXPIRE_AT_BROWSER_CLOSE", "CSRF_COOKIE_NAME",
        "CSRF_COOKIE_SECURE",
    )},
}))
"""


def test_responses_and_cookies_require_https(data_folder):
    process = run(data_folder, "-c", REPORT)
    assert process.returncode == 0, process.stderr
    report = json.loads(process.stdout)
    assert report["plain"] == [301, "https://library.example/health/live"]
    status, headers = report["safe"]
    assert status == 200
    assert headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "default-src 'none'" in headers["Content-Security-Policy"].split("; ")
    assert report["cookie"]
    assert report["foreign"] == 400
    assert report["settings"] == {
        "DEBUG": False,
        "SESSION_COOKIE_NAME": "__Host-sessionid",
        "SESSION_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
        "CSRF_COOKIE_NAME": "__Host-csrftoken",
        "CSRF_COOKIE_SECURE": True,
    }


def test_postgresql_connections_are_persistent(data_folder):
    code = "from django.conf import settings; print(settings.DATABASES['default'])"
    output = run(data_folder, "-c", code, DATABASE_URL="postgresql://library@database/library").stdout
    assert "'CONN_MAX_AGE': 60, 'CONN_HEALTH_CHECKS': True" in output
    assert "'CONN_MAX_AGE': 0, 'CONN_HEALTH_CHECKS': False" in run(data_folder, "-c", code).stdout
