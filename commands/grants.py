"""Groups, presets and purposes of a new portal, and the version of each user's rights.

The first groups with their grants, the presets and the purposes are created once, in a database that has none. So
everything that an administrator changed, renamed or deleted stays that way. `User.rights_version` is raised here too.
What a right allows is in `access.py`.
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
    "Quick look (diag + 2 min)": {Kind.WARP_DIAG: {}, Kind.PCAP: _capture(2, 160)},
    "Long capture (10 min)": {Kind.PCAP: _capture(10, 160)},
    "Host names and certificates (2 min, full packets)": {Kind.PCAP: _capture(2, 1500)},
    "Full packets (1 min)": {Kind.PCAP: _capture(1, 1500)},
    "WARP diag": {Kind.WARP_DIAG: {}},
}
"""Absent options get Cloudflare's defaults."""

PURPOSES = ("Slow connection", "No connection", "Site or app won't open", "Drops or freezes", "Security review")


def connect(sender: AppConfig) -> None:
    """Connect the signals. Called once, when the app is ready."""
    post_migrate.connect(_after_migrating, sender=sender, dispatch_uid="commands.grants")
    m2m_changed.connect(_after_membership_change, sender=User.groups.through, dispatch_uid="commands.grants")
    pre_save.connect(_before_user_save, sender=User, dispatch_uid="commands.grants")
    post_save.connect(_after_user_save, sender=User, dispatch_uid="commands.grants")
    pre_save.connect(_before_grant_save, sender=Grant, dispatch_uid="commands.grants")
    post_save.connect(_after_grant_change, sender=Grant, dispatch_uid="commands.grants")
    pre_delete.connect(_after_grant_change, sender=Grant, dispatch_uid="commands.grants")
    pre_delete.connect(_before_group_delete, sender=Group, dispatch_uid="commands.grants")


def _after_migrating(*, using: str, apps: Any = installed, **_signal: Any) -> None:
    """Create what is missing. `apps` are the models after the last migration, without ours after a reversal."""
    try:
        preset, purpose, grant, group = (apps.get_model(*name) for name in _MODELS)
    except LookupError:
        return
    with transaction.atomic(using=using):
        permissions = _permissions(apps, using)
        before = set(permissions.values_list("pk", flat=True))
        for label in ("commands", "auth"):
            create_permissions(installed.get_app_config(label), verbosity=0, using=using, apps=apps)
        if not group.objects.using(using).exists():
            _create_groups(group.objects.using(using), grant.objects.using(using))
            before = set()
        # Administrators may have removed old permissions from a group on purpose, so only new ones are added.
        for admins in group.objects.using(using).filter(name=ADMIN_GROUP):
            admins.permissions.add(*permissions.exclude(pk__in=before))
        if not preset.objects.using(using).exists():
            _create_presets(preset.objects.using(using))
        if not purpose.objects.using(using).exists():
            _create_purposes(purpose.objects.using(using))


_MODELS = (("commands", "Preset"), ("commands", "Purpose"), ("commands", "Grant"), ("auth", "Group"))


def _create_groups(groups: QuerySet[Any], grants: QuerySet[Any]) -> None:
    for name, rights in GROUPS.items():
        grants.create(group=groups.create(name=name), account=None, **dict.fromkeys(rights, True))


def _create_presets(presets: QuerySet[Any]) -> None:
    for position, (name, kinds) in enumerate(PRESETS.items(), start=1):
        options = {kind.value: clean_options(kind, raw)[0] for kind, raw in kinds.items()}
        presets.create(name=name, position=position * 10, options=options)


def _create_purposes(purposes: QuerySet[Any]) -> None:
    for position, name in enumerate(PURPOSES, start=1):
        purposes.create(name=name, position=position * 10)


def _permissions(apps: Any, using: str) -> QuerySet[Any]:
    """Return the permissions of Django's admin on our models and on groups."""
    ours = Q(content_type__app_label="commands") | Q(content_type__app_label="auth", content_type__model="group")
    permissions: QuerySet[Any] = apps.get_model("auth", "Permission").objects.using(using).filter(ours)
    return permissions


def _raise_version(people: QuerySet[User]) -> None:
    people.update(rights_version=F("rights_version") + 1)


def _after_membership_change(
    *, instance: User | Group, action: str, reverse: bool, pk_set: set[int] | None, **_signal: Any
) -> None:
    """Raise the version of the users whose groups change. `pre_clear` is the last moment that has the old members."""
    if action not in {"post_add", "post_remove", "pre_clear"}:
        return
    if not reverse:
        _raise_version(User.objects.filter(pk=instance.pk))
    elif pk_set is None:
        _raise_version(User.objects.filter(groups=instance.pk))
    else:
        _raise_version(User.objects.filter(pk__in=pk_set))


def _before_user_save(*, instance: User, raw: bool, update_fields: Collection[str] | None, **_signal: Any) -> None:
    """Raise the version with a save of all columns, because the row may hold an older version than the database."""
    if not raw and update_fields is None and not instance._state.adding:
        instance.rights_version = F("rights_version") + 1  # save() reads it back


def _after_user_save(*, instance: User, update_fields: Collection[str] | None, **_signal: Any) -> None:
    if update_fields and "is_active" in update_fields:
        _raise_version(User.objects.filter(pk=instance.pk))


def _before_grant_save(*, instance: Grant, **_signal: Any) -> None:
    """Raise the version of the users of the grant's old group."""
    if not instance._state.adding:
        _raise_version(User.objects.filter(groups__grants=instance.pk))


def _after_grant_change(*, instance: Grant, **_signal: Any) -> None:
    _raise_version(User.objects.filter(groups=instance.group_id))


def _before_group_delete(*, instance: Group, **_signal: Any) -> None:
    _raise_version(User.objects.filter(groups=instance.pk))
