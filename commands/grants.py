"""The groups, presets and purposes that a new portal starts with, and the version of every person's rights.

Owns the first groups, their grants, the shipped presets and purposes: they are made once, into a database that has
none, so that what an admin changed, renamed or deleted stays so. Owns the raising of `User.rights_version`, too. It
must not decide what a right allows (`access.py`).
"""

from collections.abc import Collection, Mapping
from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.signals import m2m_changed, post_migrate, post_save, pre_delete, pre_save

from commands.access import Right
from commands.models import Grant, User
from commands.rules.kinds import Kind, clean_options

GROUPS: Mapping[str, tuple[Right, ...]] = {
    "helpdesk": (Right.RUN, Right.SEE, Right.SEE_CONTENTS),
    "manager": (Right.SEE, Right.SEE_CONTENTS, Right.EXPORT),
    "admin": (Right.SEE, Right.ADMINISTER),
    "auditor": (Right.SEE, Right.EXPORT),
}
ADMIN_GROUP = "admin"


def _capture(minutes: int, packet_bytes: int) -> dict[str, object]:
    return {"time-limit-min": minutes, "max-file-size-mb": 50, "packet-size-bytes": packet_bytes}


PRESETS: Mapping[str, Mapping[Kind, Mapping[str, object]]] = {
    "On the phone": {Kind.WARP_DIAG: {}, Kind.PCAP: _capture(2, 160)},
    "Long look": {Kind.PCAP: _capture(10, 160)},
    "Names and certificates": {Kind.PCAP: _capture(2, 1500)},
    "Everything": {Kind.PCAP: _capture(1, 1500)},
    "Look back": {Kind.WARP_DIAG: {}},
}
"""Options that are not given take Cloudflare's defaults."""

PURPOSES = ("Slow connection", "No connection", "Site or app does not open", "Drops and freezes", "Security review")


def connect(sender: AppConfig) -> None:
    """Called once, when the app is ready."""
    post_migrate.connect(_after_migrating, sender=sender, dispatch_uid="commands.grants")
    m2m_changed.connect(_membership_changed, sender=User.groups.through, dispatch_uid="commands.grants")
    pre_save.connect(_before_saving_a_person, sender=User, dispatch_uid="commands.grants")
    post_save.connect(_person_saved, sender=User, dispatch_uid="commands.grants")
    pre_save.connect(_before_saving_a_grant, sender=Grant, dispatch_uid="commands.grants")
    post_save.connect(_grant_changed, sender=Grant, dispatch_uid="commands.grants")
    pre_delete.connect(_grant_changed, sender=Grant, dispatch_uid="commands.grants")
    pre_delete.connect(_before_deleting_a_group, sender=Group, dispatch_uid="commands.grants")


def _after_migrating(*, using: str, apps: Any = installed, **_signal: Any) -> None:
    """`apps` are the models as of the last migration that was applied: on the way back there may be none of ours."""
    try:
        preset, purpose, grant, group = (apps.get_model(*name) for name in _NEEDED)
    except LookupError:
        return
    with transaction.atomic(using=using):
        permissions = _permissions(apps, using)
        before = set(permissions.values_list("pk", flat=True))
        for label in ("commands", "auth"):
            create_permissions(installed.get_app_config(label), verbosity=0, using=using, apps=apps)
        if not group.objects.using(using).exists():
            _make_groups(group.objects.using(using), grant.objects.using(using))
            before = set()
        # Admins get what is new; what they were given before, and who took it from them, is their own business.
        for admins in group.objects.using(using).filter(name=ADMIN_GROUP):
            admins.permissions.add(*permissions.exclude(pk__in=before))
        if not preset.objects.using(using).exists():
            _make_presets(preset.objects.using(using))
        if not purpose.objects.using(using).exists():
            _make_purposes(purpose.objects.using(using))


_NEEDED = (("commands", "Preset"), ("commands", "Purpose"), ("commands", "Grant"), ("auth", "Group"))


def _make_groups(groups: QuerySet[Any], grants: QuerySet[Any]) -> None:
    for name, rights in GROUPS.items():
        grants.create(group=groups.create(name=name), account=None, **dict.fromkeys(rights, True))


def _make_presets(presets: QuerySet[Any]) -> None:
    for position, (name, kinds) in enumerate(PRESETS.items(), start=1):
        options = {kind.value: clean_options(kind, raw)[0] for kind, raw in kinds.items()}
        presets.create(name=name, position=position * 10, options=options)


def _make_purposes(purposes: QuerySet[Any]) -> None:
    for position, name in enumerate(PURPOSES, start=1):
        purposes.create(name=name, position=position * 10)


def _permissions(apps: Any, using: str) -> QuerySet[Any]:
    """What Django's admin asks for, on our models and on groups."""
    ours = Q(content_type__app_label="commands") | Q(content_type__app_label="auth", content_type__model="group")
    permissions: QuerySet[Any] = apps.get_model("auth", "Permission").objects.using(using).filter(ours)
    return permissions


def _raise(people: QuerySet[User]) -> None:
    people.update(rights_version=F("rights_version") + 1)


def _membership_changed(
    *, instance: User | Group, action: str, reverse: bool, pk_set: set[int] | None, **_signal: Any
) -> None:
    """`pre_clear`, because afterwards nobody knows who was in the group."""
    if action not in {"post_add", "post_remove", "pre_clear"}:
        return
    if not reverse:
        _raise(User.objects.filter(pk=instance.pk))
    elif pk_set is None:
        _raise(User.objects.filter(groups=instance.pk))
    else:
        _raise(User.objects.filter(pk__in=pk_set))


def _before_saving_a_person(
    *, instance: User, raw: bool, update_fields: Collection[str] | None, **_signal: Any
) -> None:
    """A save of all columns raises the version: what was read with the row may be older than what is there now."""
    if not raw and update_fields is None and not instance._state.adding:
        instance.rights_version = F("rights_version") + 1  # save() reads it back


def _person_saved(*, instance: User, update_fields: Collection[str] | None, **_signal: Any) -> None:
    if update_fields and "is_active" in update_fields:
        _raise(User.objects.filter(pk=instance.pk))


def _before_saving_a_grant(*, instance: Grant, **_signal: Any) -> None:
    """The group that it belonged to until now."""
    if not instance._state.adding:
        _raise(User.objects.filter(groups__grants=instance.pk))


def _grant_changed(*, instance: Grant, **_signal: Any) -> None:
    _raise(User.objects.filter(groups=instance.group_id))


def _before_deleting_a_group(*, instance: Group, **_signal: Any) -> None:
    _raise(User.objects.filter(groups=instance.pk))
