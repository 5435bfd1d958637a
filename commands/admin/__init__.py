"""Django's admin, one module a noun. It decides nothing: what changes anything is a verb of `actions/`."""

from django.contrib import admin

from commands.admin import accounts, commands, credentials, groups, operations, people, presets

admin.site.site_header = admin.site.site_title = "dexportal"
admin.site.index_title = "Administration"

__all__ = ["accounts", "commands", "credentials", "groups", "operations", "people", "presets"]
