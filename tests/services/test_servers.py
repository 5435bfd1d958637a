from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis as redis_client

from tests import servers
from tests.dexportal.portals import run, start


def test_our_postgresql_is_empty_may_create_databases_and_is_gone_afterwards() -> None:
    with servers.postgresql() as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE mine")
            folder = _one(connection, "SHOW data_directory")
            assert _one(connection, "SHOW synchronous_commit") == "on"
        assert Path(folder).exists()
        assert Path(folder).stat().st_uid != 0
    assert not Path(folder).exists()
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(url, connect_timeout=5)


def test_our_postgresql_wants_its_password() -> None:
    with servers.postgresql() as url:
        port = urlsplit(url).port
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgres://dexportal:wrong@127.0.0.1:{port}/postgres", connect_timeout=5)


def test_postgresql_compiles_nothing_for_the_portal_and_lets_nobody_lock_for_long(tmp_path: Path) -> None:
    """What is asked every few seconds takes a millisecond, and compiling it a hundred."""
    wanted = {"jit": "off", "lock_timeout": "10s", "idle_in_transaction_session_timeout": "1min"}
    script = (
        "import django; django.setup(); from django.db import connection as c; k = c.cursor();"
        f"print(*(k.execute('SHOW ' + name).fetchone()[0] for name in {list(wanted)!r}))"
    )
    with servers.postgresql() as url:
        done = run({"VAR_DIR": str(tmp_path), "DATABASE_URL": url}, "-c", script)
    assert done.stdout.split() == list(wanted.values()), done.stderr


def test_a_worker_that_stands_still_within_a_transaction_keeps_nobody_from_its_account(tmp_path: Path) -> None:
    """PostgreSQL itself ends the transaction; what is tried meanwhile gives up soon, and is tried again."""
    holds = (
        "import signal, django; django.setup(); from django.db import connection as c, transaction;"
        "k = c.cursor(); k.execute('CREATE TABLE mine (id int)'); k.execute('INSERT INTO mine VALUES (1)');"
        "k.execute(\"SET idle_in_transaction_session_timeout = '2s'\");"
        "transaction.atomic().__enter__(); k.execute('SELECT * FROM mine FOR UPDATE');"
        "print('locked', flush=True); signal.pause()"
    )
    waits = (
        "import django; django.setup(); from django.db import connection as c; k = c.cursor();"
        "k.execute('UPDATE mine SET id = 2'); print(k.rowcount)"
    )
    with servers.postgresql() as url:
        environment = {"VAR_DIR": str(tmp_path), "DATABASE_URL": url}
        stopped = start(environment, "-c", holds)
        try:
            assert stopped.stdout
            assert stopped.stdout.readline() == "locked\n"
            done = run(environment, "-c", waits)
        finally:
            stopped.kill()
            stopped.communicate()
    assert done.stdout.split() == ["1"], done.stderr


def test_our_redis_wants_its_password_and_is_gone_afterwards() -> None:
    with servers.redis() as url:
        with redis_client.Redis.from_url(url) as client:
            assert client.ping()
            assert client.dbsize() == 0
        stranger = redis_client.Redis(port=urlsplit(url).port or 0)
        with stranger, pytest.raises(redis_client.AuthenticationError):
            stranger.ping()
    with redis_client.Redis.from_url(url) as client, pytest.raises(redis_client.ConnectionError):
        client.ping()


def test_two_of_our_servers_do_not_meet() -> None:
    with servers.redis() as one, servers.redis() as other:
        with redis_client.Redis.from_url(one) as client:
            client.set("mine", "1")
        with redis_client.Redis.from_url(other) as client:
            assert client.get("mine") is None


def test_a_server_that_does_not_start_says_what_it_said() -> None:
    with servers.data_folder("broken") as (folder, who):
        words = ["sh", "-c", "echo no such luck; exit 1"]
        start = servers._running(words, folder, who, lambda: False)
        with pytest.raises(servers.ServerError, match="no such luck"), start:
            pass


def _one(connection: psycopg.Connection[tuple[object, ...]], query: str) -> str:
    row = connection.execute(query.encode()).fetchone()
    assert row
    return str(row[0])
