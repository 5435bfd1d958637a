"""Addresses of the product."""

from django.urls import URLPattern, URLResolver, path

from commands.views import acts, ask, commands, desk, history, metrics, operations, people, runs

urlpatterns: list[URLPattern | URLResolver] = [
    path("", desk.desk, name="desk"),
    path("frame", desk.status, name="frame"),
    path("ask/devices", ask.devices, name="ask-devices"),
    path("ask/preset", ask.preset, name="ask-preset"),
    path("ask/plan", ask.plan, name="ask-plan"),
    path("commands/table", desk.table, name="table"),
    path("commands/act", acts.act, name="act"),
    path("commands/<uuid:command_id>/", commands.command, name="command"),
    path("commands/<uuid:command_id>/download", commands.download, name="download"),
    path("commands/<uuid:command_id>/send-now", operations.send_now, name="send-now"),
    path("commands/<uuid:command_id>/run-again", operations.run_again, name="run-again"),
    path("metrics", metrics.metrics, name="metrics"),
    path("status/", operations.operations, name="operations"),
    path("history/", history.history, name="history"),
    path("search/", history.search, name="search"),
    path("people/<str:email>/", people.person, name="person"),
    path("devices/<str:device_id>/", people.device, name="device"),
    path("runs/<uuid:run_id>/", runs.run, name="run"),
    path("runs/<uuid:run_id>/withdraw", runs.withdraw, name="withdraw"),
    path("runs/<uuid:run_id>/again", runs.again, name="again"),
]
