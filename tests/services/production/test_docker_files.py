"""Consistency of Dockerfile, .dockerignore, docker-compose.yml, the documentation and the settings."""

import os
import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import yaml

from dexportal import serve, settings
from dexportal.run import programs
from tests.services.production import docker_files
from tests.services.production.docker_files import ROOT, Service
from tests.services.production.portal import make_secrets

VARIABLES = {
    "PUBLIC_URL": "https://dex.example.com",
    "TRUSTED_PROXIES": "172.16.0.0/12",
    "CLOUDFLARE_ACCOUNT_ID": "0123456789abcdef0123456789abcdef",
}
BUILT_IN = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "WEB_HOST", "WEB_PORT"}
WORKERS = ("worker-talk", "worker-fetch")
PORTAL_SERVICES = ("web", *WORKERS, "beat", "migrate")


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    return docker_files.compose(VARIABLES)


class RecordingEnvironment(dict[str, str]):
    """Environment that records the names that were read."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.read_names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read_names.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.read_names.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.read_names.add(str(name))
        return super().__contains__(name)


def test_compose_file_has_exactly_the_expected_services(services: dict[str, Service]) -> None:
    assert set(services) == {*PORTAL_SERVICES, "postgres", "redis"}


def test_settings_read_every_variable_of_the_services(services: dict[str, Service], tmp_path: Path) -> None:
    make_secrets(tmp_path)
    for name in PORTAL_SERVICES:
        environment = services[name].environment
        local = {key: value.replace("/run/secrets", str(tmp_path / "secrets")) for key, value in environment.items()}
        recorder = RecordingEnvironment(local | {"VAR_DIR": str(tmp_path / "var")})
        with mock.patch.object(os, "environ", recorder):
            loaded = runpy.run_path(settings.__file__)
        assert set(environment) - recorder.read_names <= BUILT_IN, name
        assert loaded["PRODUCTION"]
        assert loaded["UPSTREAM"].account_id == VARIABLES["CLOUDFLARE_ACCOUNT_ID"]
        assert not loaded["UPSTREAM"].is_simulator


def test_missing_variable_is_reported_with_an_explanation() -> None:
    for name in VARIABLES:
        with pytest.raises(KeyError, match=f"{name}: .* in .env"):
            docker_files.compose({key: value for key, value in VARIABLES.items() if key != name})


def test_secrets_are_the_files_that_the_documentation_creates(services: dict[str, Service], tmp_path: Path) -> None:
    make_secrets(tmp_path)
    files = docker_files.secrets()
    assert {path.name for path in (tmp_path / "secrets").iterdir()} == set(files)
    for name, file in files.items():
        assert (tmp_path / file).read_text(), name
        assert "\n" not in (tmp_path / file).read_text(), name
    for service in services.values():
        mounted = set(service.raw.get("secrets", []))
        expected = {
            value for key, value in service.environment.items() if key.endswith("_FILE") and key != "ALIVE_FILE"
        }
        assert expected == {f"/run/secrets/{name}" for name in mounted}, service.name
        assert mounted <= set(files), service.name
    names = {"SECRET_KEY", "CREDENTIAL_KEYS", "DATABASE_URL", "CLOUDFLARE_API_TOKEN", "POSTGRES_PASSWORD"}
    assert not any(names & set(service.environment) for service in services.values())


def test_metrics_token_and_env_variables_reach_every_service() -> None:
    limits = {"CAPTURE_MINUTES_MAX": "20", "CAPTURE_MB_MAX": "80", "CAPTURE_BYTES_MAX": "2000", "DIAG_MB_MAX": "200"}
    environment = limits | {"EMAIL_FROM": "helpdesk@example.com"}
    for name, service in docker_files.compose(VARIABLES | environment).items():
        if name in PORTAL_SERVICES:
            assert service.environment["METRICS_TOKEN_FILE"] == "/run/secrets/metrics_token", name
            assert environment.items() <= service.environment.items(), name


def test_documented_restore_runs_in_containers_before_workers_start() -> None:
    text = (ROOT / "docs" / "production.md").read_text()
    [block] = [block for block in text.split("```")[1::2] if "pg_restore" in block]
    stop, database, restore, files, migrate, after, start = block.strip().splitlines()
    assert stop.split()[:3] == ["docker", "compose", "stop"]
    assert set(stop.split()[3:]) == set(PORTAL_SERVICES) - {"migrate"}
    assert database.endswith(" postgres")
    assert restore.startswith("docker compose exec -T postgres pg_restore --clean --if-exists --no-owner ")
    assert files.startswith("docker compose run --rm -T --no-deps web tar -C /var/lib/dexportal -xf - ")
    assert migrate.endswith("run --rm migrate")
    assert after.endswith("manage.py after_restore")
    assert start == "docker compose up --detach --wait"


def test_documentation_names_all_health_checks() -> None:
    text = (ROOT / "docs" / "production.md").read_text()
    for name in ("docker compose exec web python manage.py doctor", "`/status/`", "`PUBLIC_URL/metrics`"):
        assert name in text


def test_documented_secrets_are_valid_and_consistent(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    folder = tmp_path / "secrets"
    assert len((folder / "secret_key").read_text()) >= 50
    assert (folder / "postgres_password").read_text() in (folder / "database_url").read_text()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o444}


def test_workers_and_beat_have_the_commands_of_make_run(services: dict[str, Service]) -> None:
    """Compare without the interpreter: `make run` starts modules with Python, and Compose starts programs."""
    for service, program in (
        ("worker-talk", programs.worker("talk", programs.TALK_THREADS)),
        ("worker-fetch", programs.worker("fetch", 2)),
        ("beat", programs.beat()),
    ):
        assert services[service].command == list(program.command)[2:]


def test_web_has_two_processes(services: dict[str, Service]) -> None:
    assert services["web"].command == ["python", "-m", "dexportal.serve", "--processes", "2"]


def test_temporary_folders_have_a_size(services: dict[str, Service]) -> None:
    """Check that a full one costs the request or the task that fills it, and not the memory of the machine."""
    for name, service in services.items():
        for entry in service.raw.get("tmpfs", []):
            assert ":size=" in entry, name


def test_services_start_after_migration_and_workers_also_after_redis(services: dict[str, Service]) -> None:
    assert services["migrate"].command == ["python", "manage.py", "setup"]
    assert services["migrate"].depends_on == {"postgres": "service_healthy"}
    assert services["migrate"].raw["restart"] == "no"
    assert services["web"].depends_on == {"migrate": "service_completed_successfully"}
    for name in (*WORKERS, "beat"):
        assert services[name].depends_on == {
            "migrate": "service_completed_successfully",
            "redis": "service_healthy",
        }


def test_lasting_services_restart_and_have_a_health_check(services: dict[str, Service]) -> None:
    for name, service in services.items():
        if name != "migrate":
            assert service.raw["restart"] == "unless-stopped", name
            assert service.health_check or service.raw["healthcheck"]["test"], name
    assert "/readyz" in services["web"].health_check[-1]


def test_grace_period_exceeds_the_longest_post_and_its_record(services: dict[str, Service]) -> None:
    longest_post = max(settings.POST_DEADLINE, settings.DISPATCH_LEASE).total_seconds()
    assert services["worker-talk"].grace > longest_post + 10
    assert services["web"].grace > serve.STOP_SECONDS


def test_only_the_web_process_is_published_and_only_on_loopback(services: dict[str, Service]) -> None:
    published = {name: service.raw["ports"] for name, service in services.items() if "ports" in service.raw}
    assert published == {"web": ["127.0.0.1:8000:8000"]}
    assert {name for name, service in services.items() if service.raw["networks"] == ["data"]} == {"postgres", "redis"}
    networks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["networks"]
    assert networks["data"] == {"internal": True}


def test_portal_containers_can_only_write_to_their_volume_and_tmp(services: dict[str, Service]) -> None:
    for name in PORTAL_SERVICES:
        raw = services[name].raw
        assert raw["read_only"] is True
        assert raw["cap_drop"] == ["ALL"]
        assert raw["volumes"] == ["files:/var/lib/dexportal"]
        assert raw["tmpfs"] == ["/tmp:size=1g"]
        assert services[name].environment["VAR_DIR"] == "/var/lib/dexportal"


def test_database_is_durable_and_redis_stores_nothing(services: dict[str, Service]) -> None:
    postgres, redis = " ".join(services["postgres"].command), shlex.join(services["redis"].command)
    assert "synchronous_commit=on" in postgres
    assert services["postgres"].raw["volumes"] == ["postgres:/var/lib/postgresql/data"]
    assert "--save ''" in redis
    assert "--appendonly no" in redis
    assert "--maxmemory-policy noeviction" in redis
    assert "volumes" not in services["redis"].raw


def test_database_has_connections_for_three_times_the_processes(services: dict[str, Service]) -> None:
    """Count one connection per thread, including the main thread."""
    threads = 2 * (8 + 1) + (programs.TALK_THREADS + 1) + (2 + 1)
    [max_connections] = re.findall(r"max_connections=(\d+)", " ".join(services["postgres"].command))
    assert int(max_connections) > 3 * threads


# --- The image ---


def test_image_holds_only_the_portal() -> None:
    image = docker_files.image()
    assert set(image.copied()) == set(docker_files.included_paths()) == _needed_paths()
    last = image.last_stage()
    assert [rest for rest in last.all("COPY") if not rest.startswith("--from=build ")] == []
    assert "simulator" not in (ROOT / "Dockerfile").read_text().split("FROM", 1)[1]


def _needed_paths() -> set[str]:
    return {"requirements.txt", "manage.py", "dexportal", "commands", "templates", "static"}


def test_image_installs_only_the_lock_file() -> None:
    installs = [rest for rest in docker_files.image().all("RUN") if "install " in rest and "pip" in rest]
    assert installs == [
        "pip --python /venv install --require-hashes --only-binary :all: -r /requirements.txt",
    ]
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    simulator = {re.split(r"[><=\[]", line)[0] for line in groups["simulator"]}
    assert not simulator & locked


def test_image_runs_as_unprivileged_user() -> None:
    last = docker_files.image().last_stage()
    assert last.all("USER") == ["10001:10001"]
    instructions = [name for name, _ in last.instructions]
    assert "RUN" not in instructions[instructions.index("USER") :]


def test_image_holds_no_secret_and_no_address() -> None:
    image = docker_files.image()
    assert not image.all("ARG")
    assert not [name for name in image.environment if "SECRET" in name or "KEY" in name or "TOKEN" in name]
    bases = [rest.split()[0] for rest in image.all("FROM")]
    assert bases == ["python:3.13-slim"] * 2
    for text in (ROOT / "Dockerfile", ROOT / "docker-compose.yml"):
        assert not list(_addresses(text.read_text()))


def _addresses(text: str) -> Iterator[str]:
    """Find addresses of other hosts."""
    for address in re.findall(r"\w+://[^\s/'\"]+", text):
        if not re.search(r"//(build\.invalid|127\.0\.0\.1)", address):
            yield address
