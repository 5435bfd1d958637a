"""Tests of `make_history`: complete rows, the same for the same seed, and no mixing with real commands by accident."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from benchmarks.history.generator import HistoryGenerator
from commands.models import Artifact, Command, Device, Event, Run
from commands.rules.states import DONE, HAS_FILE
from tests.people import make_account, make_person
from tests.rows import make_command, make_run

pytestmark = pytest.mark.django_db


def make_history(*arguments: str, commands: int = 200, seed: int = 3) -> str:
    output = StringIO()
    call_command("make_history", *arguments, commands=commands, seed=seed, stdout=output)
    return output.getvalue()


def indexes() -> list[str]:
    with connection.cursor() as cursor:
        return sorted(connection.introspection.get_constraints(cursor, Command._meta.db_table))


def test_every_command_is_final_with_three_events_and_an_artifact_row() -> None:
    before = indexes()
    assert "200 commands" in make_history()
    assert indexes() == before
    counts = [model.objects.count() for model in (Command, Event, Artifact)]
    assert counts == [200, 600, 200]
    assert {command.status for command in Command.objects.all()} <= DONE
    assert not Artifact.objects.filter(status__in=HAS_FILE).exists()
    assert Run.objects.count() < 200
    assert Command.objects.filter(device_id__in=Device.objects.values("device_id")).count() == 200
    assert all(command.requested_at <= timezone.now() for command in Command.objects.all())
    ids = list(Command.objects.order_by("id").values_list("requested_at", flat=True))
    assert ids == sorted(ids)
    connection.check_constraints()


def test_only_the_same_seed_gives_the_same_history() -> None:
    end = timezone.now()
    first, again, other = (list(HistoryGenerator(seed, 50, end).rows()) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_history_is_added_to_requested_commands_only_with_force() -> None:
    make_command(make_run(make_account(), make_person("hilde")))
    with pytest.raises(CommandError, match="--force"):
        make_history()
    assert Command.objects.count() == 1
    make_history("--force")
    assert Command.objects.count() == 201


@pytest.mark.parametrize("commands", [0, 5_000_001])
def test_number_of_commands_out_of_bounds_is_rejected(commands: int) -> None:
    with pytest.raises(CommandError, match="a number from 1 to 5000000"):
        make_history(commands=commands)
