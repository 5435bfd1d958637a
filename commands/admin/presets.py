from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.forms import ModelForm

from commands.models import Preset, Purpose
from commands.rules.kinds import Kind, clean_options
from commands.rules.wording.options import describe_option_problem

EXAMPLE = '{"pcap": {"time-limit-min": 2}}'


class PresetForm(ModelForm[Preset]):
    class Meta:
        model = Preset
        fields = ("name", "position", "active", "options")

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
class PresetAdmin(ModelAdmin[Preset]):
    form = PresetForm
    list_display = ("name", "position", "active")
    list_filter = ("active",)
    ordering = ("position", "id")


@admin.register(Purpose)
class PurposeAdmin(ModelAdmin[Purpose]):
    list_display = ("name", "position", "active")
    list_filter = ("active",)
    ordering = ("position", "id")
