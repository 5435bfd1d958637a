"""manage.py doctor: every part that fails is named with what mends it, and nothing secret is told."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.utils import timezone

from commands import clock
from commands.actions.administration import doctor, heartbeats
from commands.models import Account, CallBudget, Heartbeat, User
from simulator.config import DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN, DEX_READ
from tests.actions.world import World
from tests.dexportal.portals import run
from tests.people import make_person
from tests.polling import MAX_WAIT

pytestmark = pytest.mark.django_db

WORDS = "a-word-for-mail"


@pytest.fixture(autouse=True)
def _everybody_lives(db: None) -> None:
    heartbeats.beat(*Heartbeat.Role, now=clock.database_now())


@pytest.fixture(autouse=True)
def _somebody_administers(db: None) -> None:
    make_person("ada", "admin")


@pytest.fixture(autouse=True)
def _mail_in_memory(settings: Any) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}


def _examined() -> tuple[int, str]:
    """(status, what is told)."""
    told = StringIO()
    try:
        call_command("doctor", stdout=told)
    except SystemExit as left:
        return int(str(left.code)), told.getvalue()
    return 0, told.getvalue()


def _wrong() -> dict[str, doctor.Finding]:
    """By subject, what is to be mended."""
    return {one.subject: one for one in doctor.examine(now=timezone.now) if not one.is_well}


def test_where_all_is_well_every_part_is_named_and_nothing_is_created(world: World) -> None:
    assert world.account
    status, told = _examined()
    assert (status, told.splitlines()[-1]) == (0, "All is well.")
    for words in ("database", "storage", "spool", "broker", "mail", "lists commands", "clock: ", "lists devices",
                  "reads the quota", "downloads results", "creates commands"):  # fmt: skip
        assert words in told
    assert world.created() == []
    assert list(world.pauses()) == []


def test_the_only_post_carries_no_command(world: World) -> None:
    assert world.account
    _examined()
    assert [(post["items"], post["outcome"]) for post in world.posts()] == [(None, "refused")]


def test_a_token_that_may_only_read_is_told_from_one_that_may_write(world: World) -> None:
    read = {"account_id": DEFAULT_ACCOUNT_ID, "token": DEFAULT_TOKEN, "permissions": [DEX_READ]}
    world.configure(accounts=[read])
    assert world.account
    status, told = _examined()
    assert status == 1
    assert told.count("WRONG") == 1
    assert "may not: creates commands" in told
    assert "the permission: Cloudflare DEX Write." in told


def test_a_wrong_token_is_refused_everywhere_and_never_told(world: World) -> None:
    token = "this-token-is-wrong-and-secret"
    world.configure(accounts=[{"account_id": DEFAULT_ACCOUNT_ID, "token": "another"}])
    assert world.account.credential is not None
    type(world.account.credential).objects.update(secret=token)
    status, told = _examined()
    assert (status, told.count("may not:")) == (1, 5)
    assert token not in told
    assert DEFAULT_TOKEN not in told


def test_an_upstream_that_nobody_hears_is_told_once(world: World, settings: Any) -> None:
    assert world.account
    settings.UPSTREAM = type(settings.UPSTREAM)("simulator", "http://127.0.0.1:1/client/v4", False, "x", token="y")
    wrong = _wrong()
    assert list(wrong) == ["account Acme"]
    assert "DNS, proxy and firewall on the way to 127.0.0.1" in wrong["account Acme"].mend


def test_a_simulator_that_does_not_run_is_no_matter_of_firewalls(world: World, settings: Any) -> None:
    assert world.account
    settings.UPSTREAM = type(settings.UPSTREAM)("simulator", "http://127.0.0.1:1/client/v4", True, "x", token="y")
    finding = _wrong()["account Acme"]
    assert "DNS" not in finding.mend
    assert "make run" in finding.mend


def test_a_clock_that_is_off_is_told_with_its_direction(world: World) -> None:
    assert world.account
    world.configure(clock_offset=120)
    _, told = _examined()
    assert "clock: ours is 120 s behind Cloudflare's" in told or "clock: ours is 119 s behind Cloudflare's" in told
    world.configure(clock_offset=-120)
    assert "ahead of Cloudflare's" in _examined()[1]


def test_a_clock_that_is_off_the_databases_is_told(world: World) -> None:
    assert world.account
    found = [
        one for one in doctor.examine(now=lambda: timezone.now() + timedelta(minutes=2)) if one.subject == "database"
    ]
    assert found[1].words in {f"clock: ours is {seconds} s ahead of the database's" for seconds in (119, 120, 121)}
    assert "NTP" in found[1].mend


def test_who_is_silent_is_to_be_started_and_who_may_wait_for_the_broker_is_not_accused(
    world: World,
) -> None:
    assert world.account
    Heartbeat.objects.filter(role=Heartbeat.Role.TALK).delete()
    assert _wrong()["talk"].mend.startswith("Start it")
    Heartbeat.objects.filter(role=Heartbeat.Role.BROKER).delete()
    assert _wrong()["talk"].mend == "Mend the broker first."


def test_a_broker_that_takes_nothing_from_beat_is_told_though_it_answers_here(world: World) -> None:
    assert world.account
    assert _wrong() == {}
    Heartbeat.objects.filter(role=Heartbeat.Role.BROKER).delete()
    status, told = _examined()
    assert (status, "WRONG  broker: takes nothing from beat" in told) == (1, True)


def test_a_database_without_its_tables_is_to_be_migrated_and_nothing_is_asked_of_it(tmp_path: Path) -> None:
    done = run({"VAR_DIR": str(tmp_path)}, "manage.py", "doctor")
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert "WRONG  database: answers, but migrations are missing\n       -> Run manage.py migrate." in done.stdout


def test_a_throttled_credential_and_one_that_rests_say_until_when(world: World) -> None:
    assert world.account
    world.fault("throttle", call="list", seconds=60)
    assert "Wait until" in _examined()[1]
    world.heal()
    CallBudget.objects.update(paused_until=world.now + timedelta(minutes=20), pause_reason_code="rate_limited")
    assert "not reached: Cloudflare is rate-limiting us." in _examined()[1]


def test_a_credential_that_no_key_opens_is_to_be_entered_anew(world: World, settings: Any) -> None:
    assert world.account
    settings.CREDENTIAL_KEYS = ["ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY="]
    assert "Enter the credential anew" in _examined()[1]


def test_without_an_account_there_is_something_to_do() -> None:
    assert not Account.objects.exists()
    assert _wrong()["accounts"].mend.startswith("Add an account")


def test_storage_and_spool_that_cannot_be_written_are_told(world: World, settings: Any, tmp_path: Path) -> None:
    assert world.account
    (tmp_path / "file").write_text("in the way")
    settings.SPOOL_DIR = tmp_path / "file" / "spool"
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "file" / "artifacts")},
        },
    }
    assert set(_wrong()) == {"storage", "spool"}


def test_a_disk_without_room_for_the_largest_result_is_told_of_spool_and_store(world: World, settings: Any) -> None:
    assert world.account
    assert "MB free" in _examined()[1]
    settings.ARTIFACT_MAX_BYTES = 10**18
    wrong = _wrong()
    assert set(wrong) == {"storage", "spool"}
    for finding in wrong.values():
        assert "a result may have 1000000000000 MB" in finding.words
        assert "Make room" in finding.mend


class Forgetful(FileSystemStorage):
    """Takes everything, and keeps something else."""

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        return super().save(name, ContentFile(b"something else"), max_length)


class Mute(FileSystemStorage):
    def open(self, name: str, mode: str = "rb") -> Any:
        raise PermissionError("GetObject is not allowed")


@pytest.mark.parametrize(("storage", "words"), [(Forgetful, "something else"), (Mute, "GetObject")])
def test_a_storage_that_does_not_give_back_what_it_took_is_told(
    world: World, settings: Any, tmp_path: Path, storage: type, words: str
) -> None:
    assert world.account
    artifacts = {"BACKEND": f"{__name__}.{storage.__name__}", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "artifacts": artifacts}
    assert words in _wrong()["storage"].words
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name == "doctor"]


def test_a_file_that_cannot_be_is_asked_for_as_one_that_could(world: World) -> None:
    assert world.account
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    odd = {"call": "download", "path": f"/commands/(?!{uuid}/)"}
    world.faults({"match": odd, "effect": {"kind": "error", "status": 500}})
    assert _wrong() == {}


def test_who_is_told_that_such_a_file_cannot_be_may_ask(world: World) -> None:
    assert world.account
    world.fault("error", call="download", status=400)
    assert _wrong() == {}
    world.heal()
    world.fault("error", call="download", status=403)
    assert "may not: downloads results" in _wrong()["account Acme"].words


def test_an_account_of_which_nobody_would_be_told_is_named(world: World) -> None:
    assert world.account
    User.objects.filter(username="ada").update(email="")
    finding = _wrong()["mail"]
    assert "refuses Acme" in finding.words
    assert "with an address" in finding.mend


def test_a_broker_that_is_away_is_told_and_not_called_deadly(world: World, settings: Any) -> None:
    assert world.account
    settings.BROKER_URL = "redis://:broker-word@127.0.0.1:1/0"
    finding = _wrong()["broker"]
    assert "beat finds all work" in finding.mend
    assert "broker-word" not in finding.mend + finding.words


def test_in_production_mail_that_leaves_the_machine_nowhere_is_wrong(world: World, settings: Any) -> None:
    assert world.account
    assert "mail" not in _wrong()
    settings.PRODUCTION = True
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
    finding = _wrong()["mail"]
    assert (finding.words, "EMAIL_URL" in finding.mend) == ("goes to: console", True)


def test_a_mail_server_that_is_away_is_told(world: World, settings: Any) -> None:
    assert world.account
    settings.MAILERS = _smtp(1)
    finding = _wrong()["mail"]
    assert finding.mend.startswith("Mend EMAIL_URL")
    assert WORDS not in finding.words


def test_a_mail_server_that_does_not_let_us_in_is_told(world: World, settings: Any) -> None:
    assert world.account
    with _mail_server() as port:
        settings.MAILERS = _smtp(port)
        assert "not supported" in _wrong()["mail"].words


def _smtp(port: int) -> dict[str, Any]:
    options = {"host": "127.0.0.1", "port": port, "username": "mail", "password": WORDS, "timeout": MAX_WAIT}
    return {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}


@contextmanager
def _mail_server() -> Iterator[int]:
    """Greets, and offers no way to sign in."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as talk:
            talk.write(b"220 mail.example.com\r\n")
            talk.flush()
            while line := talk.readline():
                talk.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 mail.example.com\r\n")
                talk.flush()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(MAX_WAIT)
        listener.close()
