"""Django admin, one module a subject. It makes no decisions: changes are verbs of `actions/`."""

import django_stubs_ext
from django.contrib import admin

# Django's admin and form classes are generic for the type checker only. This call lets them take brackets at run time.
# It is here instead of in the settings, because only processes with the admin should pay for its imports.
django_stubs_ext.monkeypatch()

from commands.admin import (  # noqa: E402 - after the patch
    accounts,
    commands,
    credentials,
    devices,
    groups,
    people,
    presets,
    status,
)

admin.site.site_header = admin.site.site_title = "dexportal"
admin.site.index_title = "Administration"

__all__ = ["accounts", "commands", "credentials", "devices", "groups", "people", "presets", "status"]
