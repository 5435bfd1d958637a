"""Django's settings, and every limit and time-out.

Only this module reads the environment, through env.py. Without PUBLIC_URL the portal is *embedded*: it is reachable on
this machine only, and uses SQLite, a broker of files, and generated keys under var/. With PUBLIC_URL it is in
*production*: everything it needs must be configured, and nothing is generated.
"""

import os
import secrets
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from commands.secret_file import read_or_create_secret
from dexportal import __version__, env, logs, upstream

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("VAR_DIR") or BASE_DIR / "var").resolve()

# --- Where it runs -----------------------------------------------------------------------------------------------

PUBLIC_URL = env.web_address("PUBLIC_URL")
PRODUCTION = bool(PUBLIC_URL)
PORT = env.number("PORT", 8000, least=1, most=65535)
DEBUG = env.flag("DEBUG", default=False)
_public = urlsplit(PUBLIC_URL or f"http://127.0.0.1:{PORT}")
if _public.path:
    raise ImproperlyConfigured("PUBLIC_URL must not have a path: dexportal needs its own host name.")
SITE_URL = PUBLIC_URL or _public.geturl()  # links in emails begin with it
_https = _public.scheme == "https"

# Health probes may use any host, see middleware.HealthOfAnyHost.
ALLOWED_HOSTS = [str(_public.hostname)] if PRODUCTION else ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if PRODUCTION else []
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")  # X-Forwarded-For and -Proto count only from these

# --- Keys --------------------------------------------------------------------------------------------------------

if PRODUCTION:
    SECRET_KEY = env.required("SECRET_KEY", purpose="it signs sessions and links")
    _credential_keys = env.required("CREDENTIAL_KEYS", purpose="it encrypts the Cloudflare credentials")
else:
    SECRET_KEY = env.text("SECRET_KEY") or read_or_create_secret(
        VAR_DIR / "secret_key", lambda: secrets.token_urlsafe(64)
    )
    _credential_keys = env.text("CREDENTIAL_KEYS") or read_or_create_secret(
        VAR_DIR / "credential_keys", lambda: Fernet.generate_key().decode()
    )
CREDENTIAL_KEYS = env.fernet_keys("CREDENTIAL_KEYS", _credential_keys)  # the first encrypts, all decrypt
METRICS_TOKEN = env.text("METRICS_TOKEN")  # for /metrics; without PUBLIC_URL this machine needs none
DEMO_PASSWORD = env.text("DEXPORTAL_DEMO_PASSWORD")  # empty: generated when the demo people are created

# --- The upstream ------------------------------------------------------------------------------------------------

UPSTREAM = upstream.from_environment(VAR_DIR)
VERSION = __version__

# --- Durations: all of them here, all divided by TIME_SCALE ------------------------------------------------------

TIME_SCALE = env.factor("TIME_SCALE", 1.0)


def scaled(**duration: float) -> timedelta:
    return timedelta(**duration) / TIME_SCALE


# Calls to Cloudflare. A POST must end well before its lease, so that an expired lease means that no POST is running.
DISPATCH_LEASE = scaled(seconds=60)
DISPATCH_START_SHARE = 0.25  # a POST begins only within this part of its lease
POST_DEADLINE = scaled(seconds=20)  # for the whole call; a slow trickle of bytes can outlast any read time-out
CONNECT_TIMEOUT = scaled(seconds=5)
READ_TIMEOUT = scaled(seconds=15)
GET_DEADLINE = scaled(seconds=30)
DOWNLOAD_DEADLINE = scaled(minutes=10)
GET_RETRY_BASE = scaled(seconds=0.5)  # doubles with every retry, plus jitter
PAUSE_BASE = scaled(seconds=5)  # after a call that certainly had no effect; doubles up to PAUSE_MAX
PAUSE_MAX = scaled(minutes=5)
THROTTLE_PAUSE = scaled(minutes=5)  # after a 429 without Retry-After, as Cloudflare documents
THROTTLE_MAX = scaled(minutes=30)  # even if Retry-After is longer
RATE_WINDOW = scaled(minutes=5)
HOLD_AFTER = scaled(minutes=10)  # after a longer pause, older queued commands wait for "Send now"

LONGEST_WAIT = scaled(hours=1)  # no pause, lease or interval is longer, so a later time comes from a wrong clock

# Commands with an unknown outcome.
SETTLE_WINDOW = scaled(minutes=3)
SETTLE_WINDOW_MAX = scaled(hours=24)
ADOPT_BEFORE = scaled(minutes=2)  # how much earlier than our claim Cloudflare's created_date may be
ADOPT_AFTER = scaled(minutes=5)  # how much later than the end of our POST
UNCONFIRMED_EVERY_SYNC_FOR = scaled(hours=1)  # checked with every sync, then hourly, then daily
UNCONFIRMED_HOURLY_FOR = scaled(hours=24)
UNCONFIRMED_DAILY_FOR = scaled(days=7)
UNCONFIRMED_HOURLY = scaled(hours=1)
UNCONFIRMED_DAILY = scaled(days=1)

# Commands in the queue.
QUEUED_EXPIRY = scaled(minutes=60)

# Listings.
SYNC_LEASE = scaled(seconds=60)
SYNC_INTERVAL = scaled(seconds=5)  # quick listing, while a command is open
LISTING_INTERVAL_OPEN = scaled(minutes=5)  # complete listing
LISTING_INTERVAL_IDLE = scaled(minutes=30)
LISTING_OVERLAP = scaled(hours=1)
SYNC_LATE = scaled(seconds=30)  # a due sync that is older is shown as late

# Artifacts.
ARTIFACT_LEASE = scaled(minutes=2)  # renewed with every chunk that arrives
ARTIFACT_STORE_LEASE = scaled(minutes=15)  # an upload to a bucket reports no progress
ARTIFACT_RETRIES = (scaled(seconds=30), scaled(minutes=20))  # the last one repeats, and outlasts outages and late files
ARTIFACT_RETENTION = scaled(days=7)  # as Cloudflare documents
ARTIFACT_GIVE_UP = scaled(days=1)  # after Cloudflare deleted it, so that an outage until then loses no file
SWEEP_GRACE = scaled(days=1)  # newer files may be in use, or belong to an unfinished restore
ARTIFACT_URGENT = scaled(days=1)  # files that Cloudflare deletes within this time go first

# Devices.
DIRECTORY_LEASE = scaled(minutes=2)
DIRECTORY_PASS = scaled(hours=1)  # one pass through all devices, one page a step
DIRECTORY_STEP_MAX = scaled(minutes=5)  # longest step, so small accounts are listed more often
DEVICE_FORGOTTEN_AFTER = scaled(days=90)

# Workers and beat. The intervals are how often beat looks for work without a wake-up.
DELIVER_INTERVAL = scaled(seconds=5)
SETTLE_INTERVAL = scaled(seconds=10)
COLLECT_INTERVAL = scaled(seconds=5)
SWEEP_INTERVAL = scaled(hours=1)  # spool files and stored files that no artifact row needs
DIRECTORY_INTERVAL = scaled(seconds=5)
HEARTBEAT_INTERVAL = scaled(seconds=10)
HEARTBEAT_LATE = scaled(seconds=45)
BROKER_LATE = scaled(seconds=20)  # beat sends a message every 5 s
BROKER_TIMEOUT = scaled(seconds=5)  # for workers and beat; web processes use WAKE_TIMEOUT
WAKE_TIMEOUT = scaled(seconds=0.5)  # to connect, and again for an answer
STORAGE_PROBE = scaled(seconds=2)  # how long readyz waits for S3
ALERT_INTERVAL = scaled(seconds=30)  # how often beat looks for emails that are due
MAIL_LEASE = scaled(minutes=2)
MAIL_RETRY = scaled(minutes=1)  # doubles with every attempt
ALERT_REPEAT_AFTER = scaled(days=1)  # a refusal that begins again sooner sends no second email for the same reason
WAKE_QUIET = scaled(seconds=10)  # after a failure, no wake-up tries the broker for this time

# --- Limits ------------------------------------------------------------------------------------------------------

POST_DEVICES = 10  # Cloudflare's limit
POSTS_AT_ONCE = 2  # in progress for one account
PAGE_SIZE = 50  # Cloudflare's maximum
MAX_PAGES = 2000  # a longer listing is treated as an error
ANSWER_MAX_BYTES = 5_000_000
GET_ATTEMPTS = 3
ATTEMPTS = 3  # downloads of a file before it counts as failed
MAIL_ATTEMPTS = 5  # in a row, then one an hour
# Real seconds, not divided by TIME_SCALE. The worker judges a message's age by its own clock, and must not drop all
# messages if that clock is minutes ahead. Of messages that pile up, one runs (tasks.py), or they find nothing to do.
MESSAGE_LIFE = 600
MESSAGES_MAX = 2000  # in one queue, about 1 kB each
SETTLE_LISTINGS = 3  # complete listings after the lease ended, in addition to SETTLE_WINDOW
RATE_CALLS = 1200  # Cloudflare's limit for one credential in RATE_WINDOW
RATE_RESERVE = 100  # left for people and other tools with the same credential
ARTIFACT_MAX_BYTES = 200 * 1024 * 1024
STREAMS = 4  # simultaneous downloads of one web process
TARGETS_MAX = 5000
PASTE_MAX_BYTES = 2 * 1024 * 1024
OPTION_CEILINGS = {  # Cloudflare's documented maxima, which it may raise
    ("pcap", "time-limit-min"): env.number("CAPTURE_MINUTES_MAX", 10, least=1, most=1440),
    ("pcap", "max-file-size-mb"): env.number("CAPTURE_MB_MAX", 50, least=1, most=10_000),
    ("pcap", "packet-size-bytes"): env.number("CAPTURE_BYTES_MAX", 1500, least=1, most=65_535),
    ("warp-diag", "max-file-size-mb"): env.number("DIAG_MB_MAX", 100, least=1, most=10_000),
}
# A paste is one field of a form. A browser writes one byte as up to three, such as %0A.
BODY_MAX_BYTES = DATA_UPLOAD_MAX_MEMORY_SIZE = 3 * PASTE_MAX_BYTES + 200_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 6000
FILE_UPLOAD_HANDLERS = ["dexportal.uploads.NoFiles"]

# --- Database, cache, broker, files, email -----------------------------------------------------------------------

if PRODUCTION:
    _database = env.database("DATABASE_URL", env.required("DATABASE_URL", purpose="it is the database for all records"))
elif _given := env.text("DATABASE_URL"):
    _database = env.database("DATABASE_URL", _given)
else:
    VAR_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    _database = {"ENGINE": "django.db.backends.sqlite3", "NAME": VAR_DIR / "dexportal.sqlite3"}
SQLITE = _database["ENGINE"].endswith("sqlite3")
if SQLITE:
    _database |= {
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # FULL, because commands that a power cut removes from the outbox would be sent twice.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
        # A file, because threads of a live server lock each other out of a shared in-memory database.
        "TEST": {"NAME": Path(tempfile.gettempdir()) / f"dexportal-test-{os.getpid()}.sqlite3"},
    }
else:
    _database |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    _database["OPTIONS"] = {
        "connect_timeout": 5,
        "application_name": "dexportal",
        # Notice within half a minute that a host has vanished. TCP's default is two hours.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,
        "options": " ".join(
            [
                # Without statistics of small tables PostgreSQL overestimates their queries, and compiling takes 100 ms.
                "-c jit=off",
                # A process that hangs or vanishes in a transaction must not hold its locks for long.
                "-c lock_timeout=10s",
                "-c idle_in_transaction_session_timeout=60s",
                "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
            ]
        ),
        **_database.get("OPTIONS", {}),
    }
DATABASES = {"default": _database}

# In the database, because rate limits must hold for all web processes and after a restart. A full cache drops entries,
# but rate limits last too short for enough sign-in attempts to fill it.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"

_redis = env.text("REDIS_URL")
if PRODUCTION:
    _redis = env.required("REDIS_URL", purpose="the workers are woken through it")
BROKER_URL = env.broker("REDIS_URL", _redis) if _redis else "spool://localhost"  # see celery/file_broker.py
BROKER_DIR = VAR_DIR / "broker"  # messages of the embedded broker

SPOOL_DIR = VAR_DIR / "spool"  # files on their way from Cloudflare
ALIVE_FILE = env.text("ALIVE_FILE")  # touched by workers and beat while they run; empty: not used

STORAGES: dict[str, dict[str, Any]] = {
    "artifacts": env.storage("STORAGE_URL", env.required("STORAGE_URL", purpose="artifacts are stored there"))
    if PRODUCTION or env.text("STORAGE_URL")
    else env.folder_storage(VAR_DIR / "artifacts"),
    "staticfiles": {
        "BACKEND": "dexportal.static_files.ModuleManifestStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

_mail = env.text("EMAIL_URL") or "console://"
if PRODUCTION:
    _mail = env.required("EMAIL_URL", purpose="emails are sent through it")
MAILERS = {"default": env.mailer("EMAIL_URL", _mail)}
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM") or f"dexportal@{_public.hostname}"

# --- The application ---------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "dexportal",
    "commands",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "django_structlog",
    "allauth",
    "allauth.account",
    # Adds `manage.py make_history`. The production image has no benchmarks folder.
    *(["benchmarks"] if (BASE_DIR / "benchmarks").is_dir() else []),
]
MIDDLEWARE = [
    "dexportal.middleware.TrustedProxies",
    "dexportal.middleware.HealthOfAnyHost",
    "dexportal.middleware.RequestLog",
    "dexportal.middleware.ResponseHeaders",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "dexportal.middleware.NoNul",
]
ROOT_URLCONF = "dexportal.urls"
WSGI_APPLICATION = "dexportal.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            # Coverage of template lines needs this. Error pages with templates appear only with DEBUG.
            "debug": env.flag("TEMPLATE_DEBUG", default=DEBUG),
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["dexportal.formats"]
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# The embedded portal serves the source files, and production serves those of collectstatic.
STATIC_ROOT = BASE_DIR / "static-built" if PRODUCTION else None
WHITENOISE_USE_FINDERS = not PRODUCTION
WHITENOISE_AUTOREFRESH = DEBUG
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Sign-in -----------------------------------------------------------------------------------------------------

AUTH_USER_MODEL = "commands.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_ADAPTER = "dexportal.sign_in.adapter.AccountAdapter"
ACCOUNT_FORMS = {"login": "dexportal.sign_in.forms.SignInForm"}
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]  # sign-up is closed, but the login methods require this
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # no email to unknown addresses
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/300s/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = 0  # REMOTE_ADDR is the client's address, set by TrustedProxies

# --- Security ----------------------------------------------------------------------------------------------------

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # TrustedProxies removes it if untrusted
SECURE_SSL_REDIRECT = _https
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = _https
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # HSTS preload is the domain owner's decision
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600  # a working day, in seconds
# Browsers ignore the port, so two portals on one machine would overwrite each other's cookies.
_cookie = "__Host-dexportal" if _https else "dexportal" if PRODUCTION else f"dexportal-{PORT}"
SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = _cookie, f"{_cookie}-csrf"

# --- Logs --------------------------------------------------------------------------------------------------------

LOGGING = logs.configure(
    as_json=env.flag("LOG_JSON", default=PRODUCTION),
    level=env.choice("LOG_LEVEL", "INFO", {"DEBUG", "INFO", "WARNING", "ERROR"}),
    secrets=[
        SECRET_KEY,
        *CREDENTIAL_KEYS,
        UPSTREAM.token,
        UPSTREAM.api_key,
        DEMO_PASSWORD,
        METRICS_TOKEN,
        *env.passwords(_redis, _mail, env.text("DATABASE_URL"), env.text("STORAGE_URL")),
    ],
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
DJANGO_STRUCTLOG_CELERY_DEFAULT_LOG_LEVEL = 10  # tasks run every few seconds; failures are logged as errors
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = 10
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False  # it trusts X-Forwarded-For from everyone
DJANGO_STRUCTLOG_USER_ID_FIELD = None  # reading it costs a query on pages without a user
