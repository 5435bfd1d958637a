"""An invented past: whole, the same for the same seed, and beside nobody's record."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from benchmarks.history.world import World
from commands.models import Artifact, Command, Device, Event, Run
from commands.rules.states import DONE, HAS_FILE
from tests.people import make_account, make_person
from tests.rows import a_command, a_run

pytestmark = pytest.mark.django_db


def make(*words: str, commands: int = 200, seed: int = 3) -> str:
    said = StringIO()
    call_command("make_history", *words, commands=commands, seed=seed, stdout=said)
    return said.getvalue()


def indexes() -> list[str]:
    with connection.cursor() as cursor:
        return sorted(connection.introspection.get_constraints(cursor, Command._meta.db_table))


def test_every_command_has_three_events_and_an_artifact_row_and_none_is_open() -> None:
    before = indexes()
    assert "200 commands" in make()
    assert indexes() == before
    counts = [model.objects.count() for model in (Command, Event, Artifact)]
    assert counts == [200, 600, 200]
    assert {one.status for one in Command.objects.all()} <= DONE
    assert not Artifact.objects.filter(status__in=HAS_FILE).exists()
    assert Run.objects.count() < 200
    assert Command.objects.filter(device_id__in=Device.objects.values("device_id")).count() == 200
    assert all(one.requested_at <= timezone.now() for one in Command.objects.all())
    ids = list(Command.objects.order_by("id").values_list("requested_at", flat=True))
    assert ids == sorted(ids)
    connection.check_constraints()


def test_the_same_seed_gives_the_same_past_and_another_gives_another() -> None:
    end = timezone.now()
    first, again, other = (list(World(seed, 50, end).rows()) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_it_refuses_to_stand_beside_commands_that_people_asked_for_unless_told_to() -> None:
    a_command(a_run(make_account(), make_person("hilde")))
    with pytest.raises(CommandError, match="--force"):
        make()
    assert Command.objects.count() == 1
    make("--force")
    assert Command.objects.count() == 201


@pytest.mark.parametrize("commands", [0, 5_000_001])
def test_a_number_out_of_bounds_is_told(commands: int) -> None:
    with pytest.raises(CommandError, match="a number from 1 to 5000000"):
        make(commands=commands)
