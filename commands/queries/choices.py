"""Presets and purposes to choose from in the desk's form, as administrators keep them."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import FETCH_RAISE

from commands.models import Preset, Purpose


@dataclass(frozen=True, slots=True)
class FormChoices:
    presets: Sequence[Preset] = ()
    purposes: Sequence[str] = ()


def form_choices() -> FormChoices:
    """Return what the whole form offers. Two queries."""
    purposes = Purpose.objects.filter(active=True).order_by("position", "name")
    return FormChoices(presets(), list(purposes.values_list("name", flat=True)))


def presets() -> list[Preset]:
    rows = Preset.objects.filter(active=True).fetch_mode(FETCH_RAISE)
    return list(rows.order_by("position", "name"))
