import json
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.forms import ModelForm
from django.forms.fields import InvalidJSONInput

from commands.admin.base import PortalWideAdmin
from commands.models import Preset, Purpose
from commands.rules.kinds import Kind, clean_options
from commands.rules.wording.options import describe_option_problem

EXAMPLE = '{"pcap": {"time-limit-min": 2}}'


class OptionsField(forms.JSONField):
    """JSON that the database can store. Python's reader gives up on deep nesting and on numbers with many digits."""

    def to_python(self, value: Any) -> Any:
        try:
            parsed = super().to_python(value)
            json.dumps(parsed, ensure_ascii=False).encode()  # fails for half of a surrogate pair
        except (RecursionError, ValueError):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None
        return parsed

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what was typed, as it was typed if it can't be read."""
        try:
            return self.to_python(data)
        except forms.ValidationError:
            return InvalidJSONInput(data)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return isinstance(self.bound_data(data, initial), InvalidJSONInput) or super().has_changed(initial, data)


class PresetForm(ModelForm[Preset]):
    class Meta:
        model = Preset
        fields = ("name", "position", "active", "options")
        field_classes = {"options": OptionsField}

    def clean_options(self) -> dict[str, Any]:
        """Check the options like those of a run. Absent options get Cloudflare's defaults."""
        given = self.cleaned_data["options"]
        if not isinstance(given, dict) or not given:
            raise forms.ValidationError(f"Enter the options by kind, such as {EXAMPLE}.")
        cleaned: dict[str, Any] = {}
        messages: list[str] = []
        for kind, raw in given.items():
            if kind not in list(Kind):
                messages.append(f"“{kind}” isn't a kind. Use one of: {', '.join(Kind)}.")
                continue
            if not isinstance(raw, dict):
                messages.append(f"The options of “{kind}” must be in braces, such as {EXAMPLE}.")
                continue
            cleaned[kind], problems = clean_options(Kind(kind), raw, settings.OPTION_CEILINGS)
            messages += map(describe_option_problem, problems.values())
        if messages:
            raise forms.ValidationError(messages)
        return cleaned


@admin.register(Preset)
class PresetAdmin(PortalWideAdmin[Preset]):
    form = PresetForm
    list_display = ("name", "position", "active")
    list_filter = ("active",)
    ordering = ("position", "id")


@admin.register(Purpose)
class PurposeAdmin(PortalWideAdmin[Purpose]):
    list_display = ("name", "position", "active")
    list_filter = ("active",)
    ordering = ("position", "id")
