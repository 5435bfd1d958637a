"""Addresses of the product."""

from django.urls import URLPattern, URLResolver, path

from commands.views import commands, desk

urlpatterns: list[URLPattern | URLResolver] = [
    path("", desk.desk, name="desk"),
    path("status", desk.status, name="status"),
    path("commands/table", desk.table, name="table"),
    path("commands/<uuid:command_id>/", commands.command, name="command"),
    path("commands/<uuid:command_id>/download", commands.download, name="download"),
]
