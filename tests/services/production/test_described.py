"""Dockerfile, .dockerignore, docker-compose.yml and the documentation, held to each other and to the settings."""

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

from dexportal import settings
from dexportal.run import portal as run
from tests.services.production import described
from tests.services.production.described import ROOT, Service
from tests.services.production.portal import make_secrets

GIVEN = {
    "PUBLIC_URL": "https://dex.example.com",
    "TRUSTED_PROXIES": "172.16.0.0/12",
    "CLOUDFLARE_ACCOUNT_ID": "0123456789abcdef0123456789abcdef",
}
BUILT_IN = {"PATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "GRANIAN_HOST", "GRANIAN_PORT"}
WORKERS = ("worker-talk", "worker-fetch")
OURS = ("web", *WORKERS, "beat", "migrate")


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    return described.compose(GIVEN)


class Recorder(dict[str, str]):
    """An environment that remembers what was asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.asked.add(str(name))
        return super().__contains__(name)


def test_there_are_the_services_that_a_portal_is_made_of(services: dict[str, Service]) -> None:
    assert set(services) == {*OURS, "postgres", "redis"}


def test_every_name_in_the_environment_is_one_that_settings_read(services: dict[str, Service], tmp_path: Path) -> None:
    make_secrets(tmp_path)
    for name in OURS:
        given = services[name].environment
        local = {key: value.replace("/run/secrets", str(tmp_path / "secrets")) for key, value in given.items()}
        recorder = Recorder(local | {"VAR_DIR": str(tmp_path / "var")})
        with mock.patch.object(os, "environ", recorder):
            made = runpy.run_path(settings.__file__)
        assert set(given) - recorder.asked <= BUILT_IN, name
        assert made["PRODUCTION"]
        assert made["UPSTREAM"].account_id == GIVEN["CLOUDFLARE_ACCOUNT_ID"]
        assert not made["UPSTREAM"].is_simulator


def test_what_must_be_said_is_asked_for_in_words() -> None:
    for name in GIVEN:
        with pytest.raises(KeyError, match=f"{name}: .* in .env"):
            described.compose({key: value for key, value in GIVEN.items() if key != name})


def test_secrets_come_as_files_that_the_documentation_makes(services: dict[str, Service], tmp_path: Path) -> None:
    make_secrets(tmp_path)
    files = described.secrets()
    assert {path.name for path in (tmp_path / "secrets").iterdir()} == set(files)
    for name, file in files.items():
        assert (tmp_path / file).read_text(), name
        assert "\n" not in (tmp_path / file).read_text(), name
    for service in services.values():
        mounted = set(service.raw.get("secrets", []))
        wanted = {value for key, value in service.environment.items() if key.endswith("_FILE") and key != "ALIVE_FILE"}
        assert wanted == {f"/run/secrets/{name}" for name in mounted}, service.name
        assert mounted <= set(files), service.name
    words = {"SECRET_KEY", "CREDENTIAL_KEYS", "DATABASE_URL", "CLOUDFLARE_API_TOKEN", "POSTGRES_PASSWORD"}
    assert not any(words & set(service.environment) for service in services.values())


def test_what_opens_the_metrics_and_what_stands_in_env_reach_every_service() -> None:
    ceilings = {"CAPTURE_MINUTES_MAX": "20", "CAPTURE_MB_MAX": "80", "CAPTURE_BYTES_MAX": "2000", "DIAG_MB_MAX": "200"}
    given = ceilings | {"EMAIL_FROM": "helpdesk@example.com"}
    for name, service in described.compose(GIVEN | given).items():
        if name in OURS:
            assert service.environment["METRICS_TOKEN_FILE"] == "/run/secrets/metrics_token", name
            assert given.items() <= service.environment.items(), name


def test_the_documentation_restores_inside_the_network_and_before_a_worker_starts() -> None:
    text = (ROOT / "docs" / "production.md").read_text()
    [block] = [block for block in text.split("```")[1::2] if "pg_restore" in block]
    stop, database, restore, files, migrate, after, start = block.strip().splitlines()
    assert stop.split()[:3] == ["docker", "compose", "stop"]
    assert set(stop.split()[3:]) == set(OURS) - {"migrate"}
    assert database.endswith(" postgres")
    assert restore.startswith("docker compose exec -T postgres pg_restore --clean --if-exists --no-owner ")
    assert files.startswith("docker compose run --rm -T --no-deps web tar -C /var/lib/dexportal -xf - ")
    assert migrate.endswith("run --rm migrate")
    assert after.endswith("manage.py after_restore")
    assert start == "docker compose up --detach --wait"


def test_the_documentation_names_what_tells_whether_all_is_well() -> None:
    text = (ROOT / "docs" / "production.md").read_text()
    for words in ("docker compose exec web python manage.py doctor", "`/status/`", "`PUBLIC_URL/metrics`"):
        assert words in text


def test_the_made_keys_pass_the_checks_and_fit_each_other(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    folder = tmp_path / "secrets"
    assert len((folder / "secret_key").read_text()) >= 50
    assert (folder / "postgres_password").read_text() in (folder / "database_url").read_text()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o444}


def test_workers_and_beat_run_as_under_make_run(services: dict[str, Service]) -> None:
    """There Python is called by its path and a module's name, here the program by its own."""
    for service, program in (
        ("worker-talk", run.worker("talk", run.TALK_THREADS)),
        ("worker-fetch", run.worker("fetch", 2)),
        ("beat", run.beat()),
    ):
        assert services[service].words == list(program.words)[2:]


def test_the_web_process_is_two_times_eight_threads_with_a_limit(services: dict[str, Service]) -> None:
    words = " ".join(services["web"].words)
    assert words.startswith("granian --interface wsgi ")
    assert words.endswith(" dexportal.wsgi:application")
    for option in ("--workers 2", "--blocking-threads 8", "--backpressure 256", "--respawn-failed-workers"):
        assert option in words


def test_the_portal_starts_after_its_database_is_set_up_and_workers_after_redis(services: dict[str, Service]) -> None:
    assert services["migrate"].words == ["python", "manage.py", "setup"]
    assert services["migrate"].depends_on == {"postgres": "service_healthy"}
    assert services["migrate"].raw["restart"] == "no"
    assert services["web"].depends_on == {"migrate": "service_completed_successfully"}
    for name in (*WORKERS, "beat"):
        assert services[name].depends_on == {
            "migrate": "service_completed_successfully",
            "redis": "service_healthy",
        }


def test_whoever_lasts_is_restarted_and_looked_after(services: dict[str, Service]) -> None:
    for name, service in services.items():
        if name != "migrate":
            assert service.raw["restart"] == "unless-stopped", name
            assert service.probe or service.raw["healthcheck"]["test"], name
    assert "/readyz" in services["web"].probe[-1]


def test_term_leaves_time_for_the_longest_post_and_its_record(services: dict[str, Service]) -> None:
    longest = max(settings.POST_DEADLINE, settings.DISPATCH_LEASE).total_seconds()
    assert services["worker-talk"].grace > longest + 10
    kill = services["web"].words.index("--workers-kill-timeout")
    assert services["web"].grace > float(services["web"].words[kill + 1])


def test_only_the_web_process_can_be_reached_and_only_from_this_machine(services: dict[str, Service]) -> None:
    published = {name: service.raw["ports"] for name, service in services.items() if "ports" in service.raw}
    assert published == {"web": ["127.0.0.1:8000:8000"]}
    assert {name for name, one in services.items() if one.raw["networks"] == ["data"]} == {"postgres", "redis"}
    networks = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["networks"]
    assert networks["data"] == {"internal": True}


def test_our_containers_can_write_where_they_must_and_nowhere_else(services: dict[str, Service]) -> None:
    for name in OURS:
        raw = services[name].raw
        assert raw["read_only"] is True
        assert raw["cap_drop"] == ["ALL"]
        assert raw["volumes"] == ["files:/var/lib/dexportal"]
        assert raw["tmpfs"] == ["/tmp"]
        assert services[name].environment["VAR_DIR"] == "/var/lib/dexportal"


def test_the_record_survives_a_power_cut_and_the_broker_keeps_nothing(services: dict[str, Service]) -> None:
    postgres, redis = " ".join(services["postgres"].words), shlex.join(services["redis"].words)
    assert "synchronous_commit=on" in postgres
    assert services["postgres"].raw["volumes"] == ["postgres:/var/lib/postgresql/data"]
    assert "--save ''" in redis
    assert "--appendonly no" in redis
    assert "--maxmemory-policy noeviction" in redis
    assert "volumes" not in services["redis"].raw


def test_there_are_connections_for_three_times_the_processes(services: dict[str, Service]) -> None:
    """A connection a thread, and one for the main thread."""
    threads = 2 * (8 + 1) + (run.TALK_THREADS + 1) + (2 + 1)
    [most] = re.findall(r"max_connections=(\d+)", " ".join(services["postgres"].words))
    assert int(most) > 3 * threads


# --- the image ---


def test_the_image_holds_the_portal_and_nothing_else() -> None:
    image = described.image()
    assert set(image.copied()) == set(described.allowed()) == _needed()
    last = image.last_stage()
    assert [rest for rest in last.all("COPY") if not rest.startswith("--from=build ")] == []
    assert "simulator" not in (ROOT / "Dockerfile").read_text().split("FROM", 1)[1]


def _needed() -> set[str]:
    return {"requirements.txt", "manage.py", "dexportal", "commands", "templates", "static"}


def test_the_image_installs_the_lock_and_nothing_else() -> None:
    installs = [rest for rest in described.image().all("RUN") if "install " in rest and "pip" in rest]
    assert installs == [
        "pip --python /venv install --require-hashes --only-binary :all: -r /requirements.txt",
    ]
    locked = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    simulator = {re.split(r"[><=\[]", line)[0] for line in groups["simulator"]}
    assert not simulator & locked


def test_the_image_runs_as_nobody_in_particular() -> None:
    last = described.image().last_stage()
    assert last.all("USER") == ["10001:10001"]
    order = [word for word, _ in last.instructions]
    assert "RUN" not in order[order.index("USER") :]


def test_the_image_has_no_secret_and_no_address() -> None:
    image = described.image()
    assert not image.all("ARG")
    assert not [name for name in image.environment if "SECRET" in name or "KEY" in name or "TOKEN" in name]
    bases = [rest.split()[0] for rest in image.all("FROM")]
    assert bases == ["python:3.13-slim"] * 2
    for text in (ROOT / "Dockerfile", ROOT / "docker-compose.yml"):
        assert not list(_addresses(text.read_text()))


def _addresses(text: str) -> Iterator[str]:
    """Of hosts outside."""
    for address in re.findall(r"\w+://[^\s/'\"]+", text):
        if not re.search(r"//(build\.invalid|127\.0\.0\.1)", address):
            yield address
