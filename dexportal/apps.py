"""Wiring when Django is ready: system checks, the Celery app, and the cache table after the migrations."""

from typing import Any

from django.apps import AppConfig, apps
from django.core.management import call_command
from django.db.models.signals import post_migrate


class DexportalConfig(AppConfig):
    name = "dexportal"

    def ready(self) -> None:
        from commands import checks  # noqa: F401, PLC0415 - registers itself, and needs the models
        from dexportal.celery import app  # noqa: F401, PLC0415 - current_app is this app from now on

        # Django sends this signal only for apps with models, and `dexportal` has none.
        post_migrate.connect(_create_cache_table, sender=apps.get_app_config("commands"))


def _create_cache_table(*, using: str, **_signal: Any) -> None:
    call_command("createcachetable", database=using, verbosity=0)
