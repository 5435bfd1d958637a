"""Settings for different environment variables."""

import stat
from datetime import timedelta
from pathlib import Path

import pytest

from tests.dexportal.portals import KEY, production, refusal, run, settings_of, start
from tests.polling import MAX_WAIT

REQUIRED = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "CREDENTIAL_KEYS", "STORAGE_URL", "EMAIL_URL")


def test_processes_of_an_embedded_portal_that_start_at_once_have_the_same_keys(tmp_path: Path) -> None:
    environment = {"VAR_DIR": str(tmp_path / "var")}
    ask = "from dexportal import settings as s; print(s.SECRET_KEY, s.CREDENTIAL_KEYS)"
    started = [start(environment, "-c", ask) for _ in range(4)]
    answers = {process.communicate(timeout=MAX_WAIT)[0] for process in started}
    assert len(answers) == 1
    assert answers.pop().strip()
    for name in ("secret_key", "credential_keys"):
        assert stat.S_IMODE((tmp_path / "var" / name).stat().st_mode) == 0o600


def test_embedded_portal_needs_no_settings_and_stores_everything_in_its_folder(tmp_path: Path) -> None:
    s = settings_of({"VAR_DIR": str(tmp_path)})
    assert (s.PRODUCTION, s.DEBUG, s.UPSTREAM.name) == (False, False, "simulator")
    assert s.SITE_URL == "http://127.0.0.1:8000"
    stored = [s.DATABASES["default"]["NAME"], s.BROKER_DIR, s.STORAGES["artifacts"]["OPTIONS"]["location"]]
    assert all(path.is_relative_to(tmp_path) for path in stored)
    assert s.BROKER_URL.startswith("spool://")


def test_sqlite_is_durable_and_serializes_writers(tmp_path: Path) -> None:
    script = (
        "import django; django.setup(); from django.db import connection as c; k = c.cursor();"
        "print(k.execute('PRAGMA journal_mode').fetchone()[0], k.execute('PRAGMA synchronous').fetchone()[0],"
        " c.settings_dict['OPTIONS']['transaction_mode'])"
    )
    done = run({"VAR_DIR": str(tmp_path)}, "-c", script)
    assert done.stdout.split() == ["wal", "2", "IMMEDIATE"], done.stderr  # 2 is FULL


@pytest.mark.parametrize("name", REQUIRED)
def test_production_names_the_missing_variable(name: str, tmp_path: Path) -> None:
    environment = production(tmp_path)
    del environment[name]
    assert f"{name} (or {name}_FILE) must be set" in refusal(environment)


def test_production_passes_the_deployment_checks(tmp_path: Path) -> None:
    done = run(production(tmp_path), "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_every_secret_can_come_from_a_file(tmp_path: Path) -> None:
    environment = production(tmp_path)
    for name in (*REQUIRED, "CLOUDFLARE_API_TOKEN"):
        file = tmp_path / name
        file.write_text(environment.pop(name) + "\n")
        environment[f"{name}_FILE"] = str(file)
    s = settings_of(environment)
    assert s.CREDENTIAL_KEYS == [KEY]
    assert s.UPSTREAM.token == "invented-cloudflare-token"
    assert s.DATABASES["default"]["PASSWORD"] == "database-word"


def test_missing_secret_file_is_named(tmp_path: Path) -> None:
    environment = production(tmp_path) | {"SECRET_KEY_FILE": str(tmp_path / "nowhere")}
    assert refusal(environment).endswith("SECRET_KEY_FILE must be the path of a readable text file.")


def test_public_address_sets_hosts_origins_and_cookies(tmp_path: Path) -> None:
    s = settings_of(production(tmp_path))
    assert s.ALLOWED_HOSTS == ["dex.example.com"]
    assert s.CSRF_TRUSTED_ORIGINS == ["https://dex.example.com"]
    assert s.SESSION_COOKIE_SECURE
    assert s.CSRF_COOKIE_SECURE
    assert s.SECURE_SSL_REDIRECT
    assert not s.DEBUG


def test_cookies_of_two_portals_on_one_machine_have_different_names(tmp_path: Path) -> None:
    names = set()
    for port in ("8000", "8001"):
        s = settings_of({"VAR_DIR": str(tmp_path), "PORT": port})
        names |= {s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME}
    assert len(names) == 4


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("HTTPS://DEX.Example.com:443/", "https://dex.example.com"),
        ("http://Dex.example.com:80", "http://dex.example.com"),
        ("https://dex.example.com:8443", "https://dex.example.com:8443"),
        ("https://[2001:DB8::1]:443", "https://[2001:db8::1]"),
    ],
)
def test_public_address_is_stored_as_a_browser_sends_it(given: str, meant: str, tmp_path: Path) -> None:
    s = settings_of(production(tmp_path) | {"PUBLIC_URL": given})
    assert [s.PUBLIC_URL] == [s.SITE_URL] == s.CSRF_TRUSTED_ORIGINS == [meant]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "eighty", "PORT must be a whole number."),
        ("PORT", "70000", "PORT must be a whole number from 1 to 65535."),
        ("DEBUG", "perhaps", "DEBUG must be true or false."),
        ("CAPTURE_MINUTES_MAX", "0", "CAPTURE_MINUTES_MAX must be a whole number from 1 to 1440."),
        ("TIME_SCALE", "0", "TIME_SCALE must be a number above 0."),
        ("TIME_SCALE", "nan", "TIME_SCALE must be a number above 0."),
        ("PUBLIC_URL", "dex.example.com", "PUBLIC_URL must be an address such as https://dex.example.com."),
        ("PUBLIC_URL", "https://dex.example.com/portal", "PUBLIC_URL must not have a path"),
        ("PUBLIC_URL", "https://dex.example.com:port", "PUBLIC_URL must be a valid address."),
        ("TRUSTED_PROXIES", "proxy.example.com", "TRUSTED_PROXIES must be addresses or networks"),
        ("CREDENTIAL_KEYS", "too-short-a-key", "CREDENTIAL_KEYS must be keys"),
        ("DATABASE_URL", "mysql://dex:very-secret-word@db/dex", "DATABASE_URL must be like postgres://"),
        ("DATABASE_URL", "postgres://dex:very-secret-word@db:port/dex", "DATABASE_URL must be like postgres://"),
        ("REDIS_URL", "http://:very-secret-word@redis/0", "REDIS_URL must be like redis://"),
        ("REDIS_URL", "redis://:very-secret-word@redis:port/0", "REDIS_URL must be a valid address."),
        ("STORAGE_URL", "ftp://user:very-secret-word@files", "STORAGE_URL must be like file:///folder"),
        ("STORAGE_URL", "s3://key:very-secret-word@captures:9000/dex", "STORAGE_URL must name a bucket without a port"),
        ("EMAIL_URL", "smtps://user:very-secret-word@", "EMAIL_URL must be like submission://"),
        ("EMAIL_URL", "carrier://user:very-secret-word@pigeon", "EMAIL_URL must be like submission://"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL must be one of DEBUG, ERROR, INFO, WARNING."),
        ("CLOUDFLARE_API_TOKEN", "very-secret-word", "Set CLOUDFLARE_ACCOUNT_ID together with"),
        ("CLOUDFLARE_ACCOUNT_ID", "a" * 32, "Set CLOUDFLARE_ACCOUNT_ID together with"),
    ],
)
def test_invalid_value_is_refused_by_name_without_repeating_it(
    name: str, value: str, words: str, tmp_path: Path
) -> None:
    message = refusal({"VAR_DIR": str(tmp_path), name: value})
    assert words in message
    assert "very-secret-word" not in message
    assert "too-short-a-key" not in message


def test_time_scale_divides_every_duration(tmp_path: Path) -> None:
    plain, scaled = (
        {name: value for name, value in vars(settings_of(environment)).items() if isinstance(value, timedelta)}
        for environment in ({"VAR_DIR": str(tmp_path)}, {"VAR_DIR": str(tmp_path), "TIME_SCALE": "60"})
    )
    assert plain["DISPATCH_LEASE"] == timedelta(seconds=60)
    assert plain.keys() == scaled.keys()
    assert all(scaled[name] == plain[name] / 60 for name in plain)


def test_post_ends_well_before_its_lease(tmp_path: Path) -> None:
    s = settings_of({"VAR_DIR": str(tmp_path)})
    assert (1 - s.DISPATCH_START_SHARE) * s.DISPATCH_LEASE - s.POST_DEADLINE >= s.DISPATCH_LEASE / 3
    assert s.ARTIFACT_LEASE > 4 * s.READ_TIMEOUT, "a piece comes, or the download ends, while the lease lasts"


def test_upstream_is_cloudflare_with_credentials_and_the_simulator_without(tmp_path: Path) -> None:
    embedded = {"VAR_DIR": str(tmp_path)}
    simulator = settings_of(embedded | {"SIMULATOR_URL": "http://127.0.0.1:9999/client/v4/"}).UPSTREAM
    assert (simulator.is_simulator, simulator.url) == (True, "http://127.0.0.1:9999/client/v4")
    token = {"CLOUDFLARE_ACCOUNT_ID": "A" * 32, "CLOUDFLARE_API_TOKEN": "hush-hush"}
    real = settings_of(embedded | token).UPSTREAM
    assert (real.is_simulator, real.name) == (False, "https://api.cloudflare.com/client/v4")
    assert (real.account_id, real.token) == ("a" * 32, "hush-hush")
    assert "hush" not in repr(real)
    key = {"CLOUDFLARE_ACCOUNT_ID": "b", "CLOUDFLARE_EMAIL": "ops@example.com", "CLOUDFLARE_API_KEY": "hush-key"}
    elsewhere = {"CLOUDFLARE_API_URL": "https://api.example.com/v4"}
    by_key = settings_of(embedded | key | elsewhere).UPSTREAM
    assert (by_key.email, by_key.api_key, by_key.url) == ("ops@example.com", "hush-key", "https://api.example.com/v4")


def test_artifacts_can_be_stored_in_s3(tmp_path: Path) -> None:
    url = "s3://key:a%2Fsecret@captures/dex/files?region=eu-central-1&endpoint=https://s3.example.com"
    script = (
        "import django; django.setup(); from django.core.files.storage import storages; s = storages['artifacts'];"
        "print(s.bucket_name, s.location, s.access_key, s.secret_key, s.region_name, s.endpoint_url,"
        " s.client_config.connect_timeout)"
    )
    done = run({"VAR_DIR": str(tmp_path), "STORAGE_URL": url}, "-c", script)
    assert done.stdout.split() == (
        ["captures", "dex/files", "key", "a/secret", "eu-central-1", "https://s3.example.com", "3"]
    ), done.stderr


def test_email_is_sent_through_the_configured_server(tmp_path: Path) -> None:
    options = settings_of(production(tmp_path)).MAILERS["default"]["OPTIONS"]
    assert options["host"] == "mail.example.com"
    assert (options["username"], options["password"], options["use_tls"]) == ("mail", "mail-word", True)
    files = settings_of({"VAR_DIR": str(tmp_path), "EMAIL_URL": "file:///tmp/mails"}).MAILERS["default"]
    assert files["OPTIONS"] == {"file_path": "/tmp/mails"}


@pytest.mark.parametrize(
    ("address", "port", "tls", "ssl"),
    [
        ("smtps://mail:mail-word@mail.example.com:465", 465, False, True),
        ("smtps://mail:mail-word@mail.example.com", 465, False, True),
        ("submission://mail:mail-word@mail.example.com", 587, True, False),
        ("smtp://mail.example.com", 25, False, False),
    ],
)
def test_smtps_uses_tls_at_once_and_submission_uses_starttls(
    address: str, port: int, tls: bool, ssl: bool, tmp_path: Path
) -> None:
    options = settings_of({"VAR_DIR": str(tmp_path), "EMAIL_URL": address}).MAILERS["default"]["OPTIONS"]
    assert (options["host"], options["port"]) == ("mail.example.com", port)
    assert (options["use_tls"], options["use_ssl"]) == (tls, ssl)


def test_production_redirects_to_https_with_hsts(tmp_path: Path) -> None:
    script = (
        "import django; django.setup(); from django.test import Client;"
        "c = Client(SERVER_NAME='dex.example.com', REMOTE_ADDR='192.0.2.1');"
        "print(c.get('/accounts/login/').headers['Location']);"
        "print(c.get('/healthz', secure=True).headers['Strict-Transport-Security']);"
        "print(c.get('/healthz', headers={'X-Forwarded-Proto': 'https'}).headers['Strict-Transport-Security']);"
        "print(c.get('/healthz').status_code)"
    )
    done = run(production(tmp_path), "-c", script)
    assert done.stdout.splitlines() == [
        "https://dex.example.com/accounts/login/",
        "max-age=31536000; includeSubDomains",
        "max-age=31536000; includeSubDomains",
        "200",
    ], done.stderr


def test_migrations_create_everything_that_sign_in_needs(tmp_path: Path) -> None:
    script = (
        "import django; django.setup(); from django.core.management import call_command as call;"
        "call('migrate', verbosity=0); call('migrate', verbosity=0);"
        "from django.test import Client; c = Client(SERVER_NAME='localhost');"
        "print(c.post('/accounts/login/', {'login': 'nobody', 'password': 'guess'}).status_code);"
        "from django.core.cache import cache; cache.set('a', 1); print(cache.get('a'))"
    )
    done = run({"VAR_DIR": str(tmp_path)}, "-c", script)
    assert done.stdout.split() == ["200", "1"], done.stderr
