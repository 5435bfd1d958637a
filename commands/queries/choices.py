"""What the desk's form offers to pick from: presets and purposes, as admins keep them. Read-only."""

from django.db.models import FETCH_RAISE

from commands.models import Preset, Purpose


def presets() -> list[Preset]:
    rows = Preset.objects.filter(active=True).fetch_mode(FETCH_RAISE)
    return list(rows.order_by("position", "name"))


def purposes() -> list[str]:
    rows = Purpose.objects.filter(active=True).order_by("position", "name")
    return list(rows.values_list("name", flat=True))
