"""Checks of the container files that need no container engine."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
COMPOSE_TEXT = (DOCKER / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
SERVICES = COMPOSE["services"]
SECRETS = {"SECRET_KEY", "BORROWER_KEYS", "BORROWER_INDEX_KEY", "ALLOWED_HOSTS", "POSTGRES_PASSWORD"}
SETTINGS = (ROOT / "library" / "settings" / "SETTINGS.md").read_text()
#: Fixed paths and modules of the image, and files that the containers do not have.
SET_BY_THE_IMAGE = {"LIBRARY_DATA_DIR", "STATIC_ROOT", "DJANGO_SETTINGS_MODULE"}
KEY_FILES = {"BORROWER_KEYS_FILE", "BORROWER_INDEX_KEY_FILE"}


def test_compose_services():
    assert set(SERVICES) == {"web", "worker", "model", "beat", "postgres", "redis"}


def test_missing_secret_stops_startup():
    uses = re.findall(r"\$\{(\w+)([^}]*)\}", COMPOSE_TEXT)
    assert {name for name, rest in uses if rest.startswith(":?set " + name)} == SECRETS
    assert not [name for name, rest in uses if name in SECRETS and not rest.startswith(":?")]


def test_example_lists_every_secret_without_a_value():
    example = dict(re.findall(r"^(\w+)=(.*)$", (DOCKER / "example.env").read_text(), re.MULTILINE))
    assert example.keys() >= SECRETS
    assert set(example.values()) == {""}


def test_compose_passes_every_documented_setting():
    rows = re.findall(r"^\| (`.+?) \|", SETTINGS, re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert len(documented) > 40
    environment = SERVICES["web"]["environment"]
    assert documented - environment.keys() == SET_BY_THE_IMAGE | KEY_FILES
    assert environment.keys() <= documented
    for name in ("worker", "model", "beat"):
        assert SERVICES[name]["environment"] == environment


def test_unset_settings_keep_their_default():
    # Compose passes a variable without a value only if it is set; an empty text would be an invalid number.
    environment = SERVICES["web"]["environment"]
    names = ["RETENTION_MONTHS", "FINE_LIMIT", "PROMOTION", "API_RATES"]
    assert [environment[name] for name in names] == [None] * len(names)


def test_settings_read_every_passed_variable():
    settings = "".join(file.read_text() for file in (ROOT / "library" / "settings").glob("*.py"))
    passed = set(SERVICES["web"]["environment"])
    passed |= set(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=", DOCKERFILE, re.MULTILINE))
    passed -= {"PYTHONUNBUFFERED", "DJANGO_SETTINGS_MODULE"}
    assert passed >= {"SECRET_KEY", "DATABASE_URL", "CELERY_BROKER_URL", "LIBRARY_DATA_DIR", "STATIC_ROOT"}
    assert [name for name in passed if not re.search(rf'\(\s*"{name}"', settings)] == []


@pytest.mark.parametrize("name", SERVICES)
def test_services_depend_only_on_services_with_health_checks(name):
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        assert wait == {"condition": "service_healthy"}
        assert SERVICES[other]["healthcheck"]["test"]


def test_used_volumes_are_declared():
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert used == set(COMPOSE["volumes"])


def test_only_web_has_a_port_on_localhost():
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"web": ["127.0.0.1:8000:8000"]}


def test_files_of_the_image_exist():
    build = SERVICES["web"]["build"]
    context = (DOCKER / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    for path in re.findall(r'"(docker/[^"]+)"', DOCKERFILE):
        assert (context / path).exists(), path
    allowed = re.findall(r"^!(.+)$", (DOCKER / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert [path for path in allowed if not (context / path).exists()] == []
    assert os.access(DOCKER / "entrypoint", os.X_OK)


def test_image_matches_python_version_and_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (version,) = re.findall(r"^FROM python:([\d.]+)-slim$", DOCKERFILE, re.MULTILINE)
    assert project["requires-python"] == f">={version}"
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', DOCKERFILE)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_image_does_not_run_as_root():
    assert re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE) == ["library"]
    assert DOCKERFILE.index("\nUSER ") > DOCKERFILE.rindex("\nRUN ")


def test_entrypoint_runs_other_commands_directly():
    result = subprocess.run(
        [DOCKER / "entrypoint", "echo", "a b"], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("a b\n", "")
