"""First groups and presets, which no later migration changes, and the version of each user's rights."""

from collections.abc import Callable
from io import StringIO

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db.migrations.state import ProjectState
from pytest_django import DjangoAssertNumQueries

from commands import grants
from commands.grants import GROUPS, PRESETS
from commands.models import Grant, Preset, Purpose, User
from commands.rules.kinds import Kind, clean_options
from tests.people import make_account, make_person

pytestmark = pytest.mark.django_db


def migrate() -> None:
    call_command("migrate", verbosity=0, stdout=StringIO())


def test_new_portal_has_the_groups_with_their_grants() -> None:
    granted = {
        grant.group.name: {
            right for right in ("run", "see", "see_contents", "export", "administer") if vars(grant)[right]
        }
        for grant in Grant.objects.filter(account=None).select_related("group")
    }
    assert granted == {name: set(rights) for name, rights in GROUPS.items()}


def test_new_portal_has_the_presets_with_every_option() -> None:
    presets = {preset.name: preset.options for preset in Preset.objects.order_by("position") if preset.active}
    assert list(presets) == [
        "Quick look (diag + 2 min)",
        "Long capture (10 min)",
        "Host names and certificates (2 min, full packets)",
        "Full packets (1 min)",
        "WARP diag",
    ]
    assert presets["WARP diag"] == {"warp-diag": {"test-all-routes": True}}
    assert presets["Quick look (diag + 2 min)"]["pcap"] == {
        "time-limit-min": 2,
        "max-file-size-mb": 50,
        "packet-size-bytes": 160,
    }
    for options in presets.values():
        assert all(clean_options(Kind(kind), given) == (given, {}) for kind, given in options.items())


def test_migrating_again_changes_nothing() -> None:
    before = [list(model.objects.order_by("pk").values()) for model in (Group, Grant, Preset)]
    permissions = list(Group.permissions.through.objects.order_by("pk").values())
    migrate()
    assert [list(model.objects.order_by("pk").values()) for model in (Group, Grant, Preset)] == before
    assert list(Group.permissions.through.objects.order_by("pk").values()) == permissions


def delete_a_group() -> None:
    Group.objects.get(name="auditor").delete()


def rename_a_group() -> None:
    Group.objects.filter(name="helpdesk").update(name="Service desk")


def change_a_grant() -> None:
    Grant.objects.filter(group__name="helpdesk").update(see_contents=False)


def remove_a_grant() -> None:
    Grant.objects.get(group__name="manager").delete()


def remove_a_permission() -> None:
    admins = Group.objects.get(name="admin")
    admins.permissions.remove(admins.permissions.get(codename="add_user"))


def change_a_preset() -> None:
    Preset.objects.filter(name="Long capture (10 min)").update(active=False, options={})


def delete_a_preset() -> None:
    Preset.objects.get(name="Full packets (1 min)").delete()


def rename_a_purpose() -> None:
    Purpose.objects.filter(name="Drops or freezes").update(name="Bad calls")


CHANGES = [
    delete_a_group,
    rename_a_group,
    change_a_grant,
    remove_a_grant,
    remove_a_permission,
    change_a_preset,
    delete_a_preset,
    rename_a_purpose,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
def test_changes_of_an_administrator_survive_a_migration(change: Callable[[], None]) -> None:
    change()
    models = (Group, Grant, Preset, Purpose, Group.permissions.through)
    before = [list(model._default_manager.order_by("pk").values()) for model in models]
    migrate()
    assert [list(model._default_manager.order_by("pk").values()) for model in models] == before


def test_only_administrators_have_permissions_in_the_admin() -> None:
    admin = make_person("one", "admin")
    for permission in ("commands.change_user", "commands.add_account", "auth.change_group", "commands.view_command"):
        assert admin.has_perm(permission)
    for group in set(GROUPS) - {"admin"}:
        assert not make_person(f"of {group}", group).get_all_permissions()


def test_administrators_get_the_permissions_of_a_new_model() -> None:
    """Delete permissions, as if an update had brought their model just now."""
    Permission.objects.filter(content_type__model="preset").delete()
    migrate()
    admins = Group.objects.get(name="admin")
    assert admins.permissions.filter(content_type__model="preset").count() == 4


def test_first_presets_and_groups_have_only_existing_kinds_and_rights() -> None:
    assert set(GROUPS) == {"helpdesk", "manager", "admin", "auditor"}
    assert {kind for kinds in PRESETS.values() for kind in kinds} <= set(Kind)


def version(person: User) -> int:
    return User.objects.values_list("rights_version", flat=True).get(pk=person.pk)


@pytest.fixture
def member() -> User:
    return make_person("member", "helpdesk")


def helpdesk() -> Group:
    return Group.objects.get(name="helpdesk")


def grant() -> Grant:
    return Grant.objects.get(group__name="helpdesk", account=None)


def join_from_the_group(person: User) -> None:
    Group.objects.get(name="manager").user_set.add(person)


def leave_from_the_group(person: User) -> None:
    helpdesk().user_set.remove(person)


def save_grant(person: User) -> None:
    granted = grant()
    granted.export = True
    granted.save(update_fields=["export"])


def move_grant_away(person: User) -> None:
    granted = grant()
    granted.group = Group.objects.create(name="another")
    granted.save(update_fields=["group"])


def deactivate(person: User) -> None:
    person.is_active = False
    person.save(update_fields=["is_active"])


def save_as_a_whole(person: User) -> None:
    person.is_active = False
    person.save()


RAISING: dict[str, Callable[[User], object]] = {
    "a group is added": lambda person: person.groups.add(Group.objects.get(name="manager")),
    "a group is removed": lambda person: person.groups.remove(helpdesk()),
    "groups are cleared": lambda person: person.groups.clear(),
    "added from the group": join_from_the_group,
    "removed from the group": leave_from_the_group,
    "the group is emptied": lambda person: helpdesk().user_set.clear(),
    "the group is deleted": lambda person: helpdesk().delete(),
    "a grant is made": lambda person: Grant.objects.create(group=helpdesk(), account=make_account(), export=True),
    "a grant is saved": save_grant,
    "a grant goes to another group": move_grant_away,
    "a grant is deleted": lambda person: grant().delete(),
    "grants are deleted together": lambda person: Grant.objects.filter(group__name="helpdesk").delete(),
    "deactivated": deactivate,
    "saved as a whole": save_as_a_whole,
}


@pytest.mark.parametrize("change", RAISING)
def test_version_of_the_rights_rises_when(member: User, change: str) -> None:
    bystander = make_person("bystander", "auditor")
    before, untouched = version(member), version(bystander)
    RAISING[change](member)
    assert version(member) > before
    assert version(bystander) == untouched


def test_saving_an_old_copy_never_lowers_the_version(member: User) -> None:
    old_copy = User.objects.get(pk=member.pk)
    for _ in range(3):
        save_grant(member)
    before = version(member)
    old_copy.first_name = "Meret"
    old_copy.save()
    assert version(member) == before + 1
    assert old_copy.rights_version == before + 1


def test_signing_in_keeps_the_version(member: User) -> None:
    before = version(member)
    member.save(update_fields=["last_login"])
    assert version(member) == before


@pytest.mark.django_db(transaction=True)
def test_migrating_back_and_forth_keeps_the_groups() -> None:
    remove_a_grant()
    call_command("migrate", "commands", "0001", verbosity=0, stdout=StringIO())
    migrate()
    assert set(Group.objects.values_list("name", flat=True)) == set(GROUPS)
    assert not Grant.objects.filter(group__name="manager").exists()


def test_migrating_back_to_nothing_creates_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        grants._after_migrating(using="default", apps=ProjectState().apps)
