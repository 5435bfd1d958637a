"""Addresses of the product."""

from django.urls import URLPattern, URLResolver, path

from commands.web.bulk import views as acts
from commands.web.command import views as commands
from commands.web.desk import request_views
from commands.web.desk import views as desk
from commands.web.history import views as history
from commands.web.metrics import views as metrics
from commands.web.people import views as people
from commands.web.run import views as runs
from commands.web.search import views as search
from commands.web.status import views as status

urlpatterns: list[URLPattern | URLResolver] = [
    path("", desk.desk, name="desk"),
    path("frame", desk.status, name="frame"),
    path("ask/devices", request_views.devices, name="ask-devices"),
    path("ask/preset", request_views.preset, name="ask-preset"),
    path("ask/plan", request_views.plan, name="ask-plan"),
    path("commands/table", desk.table, name="table"),
    path("commands/act", acts.act, name="act"),
    path("commands/<uuid:command_id>/", commands.command, name="command"),
    path("commands/<uuid:command_id>/download", commands.download, name="download"),
    path("commands/<uuid:command_id>/send-now", commands.send_now, name="send-now"),
    path("commands/<uuid:command_id>/run-again", commands.run_again, name="run-again"),
    path("metrics", metrics.metrics, name="metrics"),
    path("status/", status.status, name="status"),
    path("history/", history.history, name="history"),
    path("search/", search.search, name="search"),
    path("people/<str:email>/", people.person, name="person"),
    path("devices/<str:device_id>/", people.device, name="device"),
    path("runs/<uuid:run_id>/", runs.run, name="run"),
    path("runs/<uuid:run_id>/withdraw", runs.withdraw, name="withdraw"),
    path("runs/<uuid:run_id>/again", runs.again, name="again"),
]
