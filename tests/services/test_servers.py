from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis as redis_client

from tests import servers
from tests.dexportal.portals import run, start
from tests.polling import MAX_WAIT


def test_postgresql_is_empty_can_create_databases_and_is_deleted_at_the_end() -> None:
    with servers.postgresql() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE mine")
            folder = _scalar(connection, "SHOW data_directory")
            assert _scalar(connection, "SHOW synchronous_commit") == "on"
        assert Path(folder).exists()
        assert Path(folder).stat().st_uid != 0
    assert not Path(folder).exists()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(url, connect_timeout=int(MAX_WAIT))


def test_postgresql_requires_its_password() -> None:
    with servers.postgresql() as url:
        port = urlsplit(url).port
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgres://dexportal:wrong@127.0.0.1:{port}/postgres", connect_timeout=int(MAX_WAIT))


def test_postgresql_has_no_jit_and_short_lock_timeouts(tmp_path: Path) -> None:
    """Check that JIT is off: compiling a query takes 100 ms, and the queries that run every few seconds take one."""
    expected = {"jit": "off", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "1min"}
    script = (
        "import django; django.setup(); from django.db import connection as c; k = c.cursor();"
        f"print(*(k.execute('SHOW ' + name).fetchone()[0] for name in {list(expected)!r}))"
    )
    with servers.postgresql() as url:
        completed = run({"VAR_DIR": str(tmp_path), "DATABASE_URL": url}, "-c", script)
    assert completed.stdout.split() == list(expected.values()), completed.stderr


def test_postgresql_ends_an_idle_transaction_so_that_others_get_its_locks(tmp_path: Path) -> None:
    """Check that a suspended worker does not block its account for long."""
    locking_script = (
        "import signal, django; django.setup(); from django.db import connection as c, transaction;"
        "k = c.cursor(); k.execute('CREATE TABLE mine (id int)'); k.execute('INSERT INTO mine VALUES (1)');"
        "k.execute(\"SET idle_in_transaction_session_timeout = '2s'\");"
        "transaction.atomic().__enter__(); k.execute('SELECT * FROM mine FOR UPDATE');"
        "print('locked', flush=True); signal.pause()"
    )
    waiting_script = (
        "import django; django.setup(); from django.db import connection as c; k = c.cursor();"
        "k.execute('UPDATE mine SET id = 2'); print(k.rowcount)"
    )
    with servers.postgresql() as url:
        environment = {"VAR_DIR": str(tmp_path), "DATABASE_URL": url}
        locker = start(environment, "-c", locking_script)
        try:
            assert locker.stdout
            assert locker.stdout.readline() == "locked\n"
            completed = run(environment, "-c", waiting_script)
        finally:
            locker.kill()
            locker.communicate()
    assert completed.stdout.split() == ["1"], completed.stderr


def test_redis_requires_its_password_and_stops_at_the_end() -> None:
    with servers.redis() as url:
        with redis_client.Redis.from_url(url) as client:
            assert client.ping()
            assert client.dbsize() == 0
        stranger = redis_client.Redis(port=urlsplit(url).port or 0)
        with stranger, pytest.raises(redis_client.AuthenticationError):
            stranger.ping()
    with redis_client.Redis.from_url(url) as client, pytest.raises(redis_client.ConnectionError):
        client.ping()


def test_two_redis_servers_share_no_data() -> None:
    with servers.redis() as first, servers.redis() as second:
        with redis_client.Redis.from_url(first) as client:
            client.set("mine", "1")
        with redis_client.Redis.from_url(second) as client:
            assert client.get("mine") is None


def test_error_of_a_failed_start_holds_the_log() -> None:
    with servers.data_folder("broken") as (folder, owner):
        command = ["sh", "-c", "echo no such luck; exit 1"]
        start = servers._running(command, folder, owner, lambda: False)
        with pytest.raises(servers.ServerError, match="no such luck"), start:
            pass


def _scalar(connection: psycopg.Connection[tuple[object, ...]], query: str) -> str:
    row = connection.execute(query.encode()).fetchone()
    assert row
    return str(row[0])
