"""A first stand-in; the settings proper replace it."""

from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "to-be-replaced"  # noqa: S105
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "commands"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "var" / "dexportal.sqlite3"}}
USE_TZ = True
AUTH_USER_MODEL = "commands.User"
