"""What can be known of the containers without an engine to run them."""

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


def test_web_worker_beat_and_their_two_servers_make_the_library():
    assert set(SERVICES) == {"web", "worker", "beat", "postgres", "redis"}


def test_a_missing_secret_stops_the_start_with_its_name():
    uses = re.findall(r"\$\{(\w+)([^}]*)\}", COMPOSE_TEXT)
    assert {name for name, rest in uses if rest.startswith(":?set " + name)} == SECRETS
    assert not [name for name, rest in uses if name in SECRETS and not rest.startswith(":?")]


def test_the_example_names_every_secret_and_gives_none():
    example = dict(re.findall(r"^(\w+)=(.*)$", (DOCKER / "example.env").read_text(), re.MULTILINE))
    assert example.keys() >= SECRETS
    assert set(example.values()) == {""}


def test_the_settings_know_every_variable_that_the_containers_pass():
    settings = "".join(file.read_text() for file in (ROOT / "library" / "settings").glob("*.py"))
    passed = set(SERVICES["web"]["environment"])
    passed |= set(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=", DOCKERFILE, re.MULTILINE))
    passed -= {"PYTHONUNBUFFERED", "DJANGO_SETTINGS_MODULE"}
    assert passed >= {"SECRET_KEY", "DATABASE_URL", "CELERY_BROKER_URL", "LIBRARY_DATA_DIR", "STATIC_ROOT"}
    assert [name for name in passed if f'("{name}"' not in settings] == []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_only_for_services_that_tell_their_health(name):
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        assert wait == {"condition": "service_healthy"}
        assert SERVICES[other]["healthcheck"]["test"]


def test_every_volume_used_is_declared():
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service["volumes"]}
    assert used == set(COMPOSE["volumes"])


def test_only_the_web_server_is_reached_from_outside_and_only_from_this_machine():
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports == {"web": ["127.0.0.1:8000:8000"]}


def test_the_image_is_built_from_files_that_are_there():
    build = SERVICES["web"]["build"]
    context = (DOCKER / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
    for path in re.findall(r'"(docker/[^"]+)"', DOCKERFILE):
        assert (context / path).exists(), path
    allowed = re.findall(r"^!(.+)$", (DOCKER / "Dockerfile.dockerignore").read_text(), re.MULTILINE)
    assert [path for path in allowed if not (context / path).exists()] == []
    assert os.access(DOCKER / "entrypoint", os.X_OK)


def test_the_image_has_the_python_and_the_extras_that_the_project_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (version,) = re.findall(r"^FROM python:([\d.]+)-slim$", DOCKERFILE, re.MULTILINE)
    assert project["requires-python"] == f">={version}"
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', DOCKERFILE)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_nothing_in_the_image_runs_as_root():
    assert re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE) == ["library"]
    assert DOCKERFILE.index("\nUSER ") > DOCKERFILE.rindex("\nRUN ")


def test_the_entrypoint_runs_other_commands_than_the_web_server_at_once():
    result = subprocess.run(
        [DOCKER / "entrypoint", "echo", "a b"], capture_output=True, text=True, check=True
    )
    assert (result.stdout, result.stderr) == ("a b\n", "")
