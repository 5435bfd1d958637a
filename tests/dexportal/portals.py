"""Portals in their own process or environment, for tests of what depends on environment variables."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from tests.polling import MAX_WAIT

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = Fernet.generate_key().decode()


def production(folder: Path) -> dict[str, str]:
    """Return the variables that production needs. Their servers don't exist."""
    return {
        "PUBLIC_URL": "https://dex.example.com",
        "TRUSTED_PROXIES": "192.0.2.0/24",
        "DATABASE_URL": "postgres://dex:database-word@127.0.0.1:1/dex",
        "REDIS_URL": "redis://:broker-word@127.0.0.1:1/0",
        "SECRET_KEY": "An-invented-key-that-is-long-enough-for-0-9-and-more-of-it",
        "CREDENTIAL_KEYS": KEY,
        "STORAGE_URL": f"file://{folder}/artifacts",
        "EMAIL_URL": "submission://mail:mail-word@mail.example.com:587",
        "CLOUDFLARE_ACCOUNT_ID": "a" * 32,
        "CLOUDFLARE_API_TOKEN": "invented-cloudflare-token",
        "VAR_DIR": str(folder / "var"),
    }


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start Python with these variables, and only those of our environment that every program needs."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**inherited, "DJANGO_SETTINGS_MODULE": "dexportal.settings", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(environment, *arguments)
    out, err = process.communicate(timeout=MAX_WAIT)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def settings_of(environment: dict[str, str]) -> SimpleNamespace:
    """Run settings.py in this process with these variables. Django's own settings don't change."""
    with mock.patch.object(os, "environ", environment):
        return SimpleNamespace(**runpy.run_path(str(ROOT / "dexportal" / "settings.py")))


def refusal(environment: dict[str, str]) -> str:
    """Return the error message of a portal that refuses these variables."""
    with pytest.raises(ImproperlyConfigured) as refused:
        settings_of(environment)
    return str(refused.value)
