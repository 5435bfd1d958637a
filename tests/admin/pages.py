"""URLs of the admin pages, and the models by what the admin allows."""

from datetime import datetime

from django.apps import apps
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone

from commands import models

READ_ONLY: list[type[Model]] = [
    models.Artifact,
    models.Command,
    models.Device,
    models.Dispatch,
    models.Event,
    models.Heartbeat,
    models.Notification,
    models.Pause,
    models.Run,
]
EDITABLE: list[type[Model]] = [models.User, Group, models.Account, models.Credential, models.Preset, models.Purpose]
NEVER_DELETED: list[type[Model]] = [models.User, models.Account, *READ_ONLY]
INLINE_OR_INTERNAL = {
    models.Grant,
    models.AccountDirectory,
    models.AccountSync,
    models.AccountVersion,
    models.CallBudget,
}


def model_name(model: type[Model]) -> str:
    return model.__name__


def page(model: type[Model], name: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=arguments)


def now() -> datetime:
    return timezone.now()


def registered_models() -> set[type[Model]]:
    return {model for model in site._registry if model._meta.app_label == "commands" or model is Group}


def own_models() -> set[type[Model]]:
    return set(apps.get_app_config("commands").get_models())
