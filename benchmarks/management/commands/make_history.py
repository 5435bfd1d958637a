import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from benchmarks.history import load
from benchmarks.history.world import ACCOUNT, ASKERS, COLUMNS, World
from commands import models
from commands.actions.administration import accounts

MOST = 5_000_000


class Command(BaseCommand):
    help = "Fills a database with a believable past, for tests and benchmarks: nothing of it is open, no file is here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--commands", type=int, required=True, help="how many; 3 events and an artifact row each")
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same past")
        parser.add_argument("--force", action="store_true", help="also beside commands that people asked for")

    def handle(self, *, commands: int, seed: int, force: bool, **options: Any) -> None:
        if not 1 <= commands <= MOST:
            raise CommandError(f"--commands takes a number from 1 to {MOST}.")
        if not force and models.Command.objects.ours().exists():
            raise CommandError("Here are commands that people asked for: an invented past beside them needs --force.")
        now = timezone.now()
        account = models.Account.objects.active().order_by("id").first() or accounts.ensure_upstream_account(now=now)
        world = World(seed, commands, now.replace(hour=0, minute=0, second=0, microsecond=0))
        begun = time.monotonic()
        made = load.files(settings.BASE_DIR / "build" / "history", _key(world), COLUMNS, world.rows())
        written = time.monotonic()
        askers = {name: str(_asker(number)) for number, name in enumerate(ASKERS, start=1)}
        load.load(made, COLUMNS, {ACCOUNT: account.id.hex, **askers})
        _devices(account, world)
        models.AccountVersion.objects.raise_for({account.id})
        done = time.monotonic()
        times = f"rows {written - begun:.1f} s, load {done - written:.1f} s"
        self.stdout.write(f"{commands} commands on {len(world.machines)} devices ({times}).")


def _asker(number: int) -> int:
    """Invented people who cannot sign in."""
    name = f"agent-{number:02}"
    person, is_new = models.User.objects.get_or_create(
        username=name, defaults={"email": f"{name}@history.example.com", "is_active": False}
    )
    if is_new:
        person.set_unusable_password()
        person.save(update_fields=["password"])
    return int(person.pk)


def _key(world: World) -> str:
    """Everything that the rows depend on: a past ends with the day before."""
    return repr((world.seed, world.commands, world.end, COLUMNS))


def _devices(account: models.Account, world: World) -> None:
    """As Cloudflare would have listed them, all of them seen lately."""
    rows = (
        models.Device(
            account=account,
            device_id=machine.device_id,
            registration_id=machine.registration_id,
            email=machine.email,
            name=machine.name,
            platform=machine.platform,
            client_version="2026.4.1350.0",
            connection="connected",
            eligible=True,
            seen_at=world.end,
            listed_at=world.end,
        )
        for machine in world.machines
    )
    models.Device.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
