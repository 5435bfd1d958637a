"""Health endpoints, for load balancers and operators."""

import socket
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from django.core.files.storage import storages
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from commands.models import Heartbeat
from commands.wakeup import backoff
from dexportal import env
from tests.dexportal.portals import run
from tests.polling import MAX_WAIT


@pytest.fixture(autouse=True)
def _healthy_portal(tmp_path: Path, settings: Settings) -> None:
    backoff.end()
    settings.BROKER_URL = "spool://localhost"
    settings.BROKER_DIR = tmp_path / "broker"
    artifacts = settings.STORAGES["artifacts"] | {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": tmp_path / "artifacts"},
    }
    settings.STORAGES = settings.STORAGES | {"artifacts": artifacts}


def beats(*roles: str, age: timedelta = timedelta(0)) -> None:
    seen_at = timezone.now() - age
    Heartbeat.objects.bulk_create(Heartbeat(role=role, instance=f"here:{role}", seen_at=seen_at) for role in roles)


def degraded(client: Client) -> list[str]:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    names: list[str] = answer.json()["degraded"]
    return names


def test_healthz_takes_no_query(client: Client, django_assert_num_queries: DjangoAssertNumQueries, db: None) -> None:
    with django_assert_num_queries(0):
        assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_portal_is_ready_if_all_parts_work(client: Client) -> None:
    beats("beat", "broker", "talk", "fetch")
    assert client.get("/readyz").json() == {"status": "ok", "degraded": []}


@pytest.mark.django_db
def test_readyz_takes_two_queries_once_the_migrations_are_known(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client.get("/readyz")
    with django_assert_num_queries(2):
        client.get("/readyz")


@pytest.mark.django_db
def test_late_and_missing_workers_degrade_but_the_portal_stays_ready(client: Client, settings: Settings) -> None:
    beats("talk")
    beats("beat", age=settings.HEARTBEAT_LATE + timedelta(seconds=1))
    assert degraded(client) == ["beat", "fetch"]
    beats("broker")
    Heartbeat.objects.update(seen_at=timezone.now())
    assert degraded(client) == ["fetch"]


@pytest.mark.django_db
def test_broker_that_is_down_for_beat_is_degraded_although_it_answers_here(client: Client) -> None:
    beats("beat")
    assert degraded(client) == ["broker"]


@pytest.mark.django_db
def test_broker_that_is_down_degrades_but_the_portal_stays_ready(client: Client, settings: Settings) -> None:
    beats("beat", "broker", "talk", "fetch")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings.BROKER_URL = f"redis://127.0.0.1:{port}/0"
    assert degraded(client) == ["broker"]


@pytest.mark.django_db
def test_storage_that_cannot_be_written_is_degraded(client: Client, tmp_path: Path, settings: Settings) -> None:
    beats("beat", "broker", "talk", "fetch")
    (tmp_path / "file").touch()
    options = {"location": tmp_path / "file" / "artifacts"}
    settings.STORAGES = settings.STORAGES | {"artifacts": settings.STORAGES["artifacts"] | {"OPTIONS": options}}
    assert Path(storages["artifacts"].path("x")).parent.name == "artifacts"
    assert degraded(client) == ["storage"]


@pytest.mark.django_db
def test_disk_without_space_for_the_largest_result_is_degraded(client: Client, settings: Settings) -> None:
    beats("beat", "broker", "talk", "fetch")
    assert degraded(client) == []
    settings.ARTIFACT_MAX_BYTES = 10**18
    assert degraded(client) == ["storage"]


@pytest.mark.django_db
@pytest.mark.parametrize("listening", [True, False])
def test_s3_that_does_not_answer_is_reported_before_its_time_out(
    listening: bool, client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STORAGE_PROBE = timedelta(seconds=0.5)
    beats("beat", "broker", "talk", "fetch")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if not listening:
            server.close()
        url = f"s3://key:word@captures?region=x&endpoint=http://{address}"
        settings.STORAGES = settings.STORAGES | {"artifacts": env.storage("STORAGE_URL", url)}
        gave_up, really = threading.Event(), storages["artifacts"].exists

        def exists(name: str) -> bool:
            try:
                return really(name)
            finally:
                gave_up.set()

        monkeypatch.setattr(storages["artifacts"], "exists", exists)
        assert degraded(client) == ["storage"]
        assert not (listening and gave_up.is_set()), "boto3 would have waited for minutes"


@pytest.mark.django_db
def test_s3_that_answers_is_not_degraded(client: Client, settings: Settings) -> None:
    beats("beat", "broker", "talk", "fetch")
    with HTTPServer(("127.0.0.1", 0), NoSuchKey) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"s3://key:word@captures?region=x&endpoint=http://127.0.0.1:{server.server_port}"
        settings.STORAGES = settings.STORAGES | {"artifacts": env.storage("STORAGE_URL", url)}
        settings.STORAGE_PROBE = timedelta(seconds=MAX_WAIT)
        assert degraded(client) == []
        server.shutdown()


class NoSuchKey(BaseHTTPRequestHandler):
    """Answer of S3 to an authorized request for a missing file."""

    def do_HEAD(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


ASK = (
    "import django; django.setup(); from django.test import Client;"
    "a = Client(SERVER_NAME='localhost').get('/readyz'); print(a.status_code, a.json())"
)


def test_portal_without_its_migrations_is_not_ready(tmp_path: Path) -> None:
    done = run({"VAR_DIR": str(tmp_path)}, "-c", ASK)
    assert done.stdout.strip() == "503 {'status': 'unready', 'reason': 'migrations'}", done.stderr


def test_portal_without_its_database_is_not_ready(tmp_path: Path) -> None:
    nowhere = {"VAR_DIR": str(tmp_path), "DATABASE_URL": "postgres://dex:dex@127.0.0.1:1/dex"}
    done = run(nowhere, "-c", ASK)
    assert done.stdout.strip() == "503 {'status': 'unready', 'reason': 'database'}", done.stderr
