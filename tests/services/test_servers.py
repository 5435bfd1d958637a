from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis as redis_client

from tests import servers
from tests.dexportal.portals import run


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


def test_the_portal_lets_no_query_be_compiled(tmp_path: Path) -> None:
    """What is asked every few seconds takes a millisecond, and compiling it a hundred."""
    script = (
        "import django; django.setup(); from django.db import connection as c; k = c.cursor();"
        "k.execute('SHOW jit'); print(k.fetchone()[0])"
    )
    with servers.postgresql() as url:
        done = run({"VAR_DIR": str(tmp_path), "DATABASE_URL": url}, "-c", script)
    assert done.stdout.split() == ["off"], done.stderr


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
