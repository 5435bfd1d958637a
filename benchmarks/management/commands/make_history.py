import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from benchmarks.history import load
from benchmarks.history.generator import ACCOUNT, COLUMNS, REQUESTERS, HistoryGenerator
from commands import models
from commands.actions.administration import accounts

MAX_COMMANDS = 5_000_000


class Command(BaseCommand):
    help = "Fill the database with an invented history of final commands without files, for tests and benchmarks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--commands", type=int, required=True, help="number of commands, each with 3 events and an artifact row"
        )
        parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same history")
        parser.add_argument(
            "--force",
            action="store_true",
            help="add the history even if the database holds commands that people requested",
        )

    def handle(self, *, commands: int, seed: int, force: bool, **options: Any) -> None:
        if not 1 <= commands <= MAX_COMMANDS:
            raise CommandError(f"--commands takes a number from 1 to {MAX_COMMANDS}.")
        if not force and models.Command.objects.ours().exists():
            raise CommandError(
                "This database holds commands that people requested. Use --force to add an invented history anyway."
            )
        now = timezone.now()
        account = models.Account.objects.active().order_by("id").first() or accounts.ensure_upstream_account(now=now)
        history = HistoryGenerator(seed, commands, now.replace(hour=0, minute=0, second=0, microsecond=0))
        started = time.monotonic()
        folder = load.write_files(settings.BASE_DIR / "build" / "history", _cache_key(history), COLUMNS, history.rows())
        written = time.monotonic()
        requesters = {name: str(_ensure_requester(number)) for number, name in enumerate(REQUESTERS, start=1)}
        load.load(folder, COLUMNS, {ACCOUNT: account.id.hex, **requesters})
        _create_devices(account, history)
        models.AccountVersion.objects.raise_for({account.id})
        done = time.monotonic()
        times = f"rows {written - started:.1f} s, load {done - written:.1f} s"
        self.stdout.write(f"{commands} commands on {len(history.devices)} devices ({times}).")


def _ensure_requester(number: int) -> int:
    """Return the key of an invented person, who cannot sign in."""
    name = f"agent-{number:02}"
    person, is_new = models.User.objects.get_or_create(
        username=name, defaults={"email": f"{name}@history.example.com", "is_active": False}
    )
    if is_new:
        person.set_unusable_password()
        person.save(update_fields=["password"])
    return int(person.pk)


def _cache_key(history: HistoryGenerator) -> str:
    """Return all values that the rows depend on. The end is included: a history ends with the day before."""
    return repr((history.seed, history.commands, history.end, COLUMNS, REQUESTERS))


def _create_devices(account: models.Account, history: HistoryGenerator) -> None:
    """Create the devices as if Cloudflare had listed them, all seen recently."""
    rows = (
        models.Device(
            account=account,
            device_id=device.device_id,
            registration_id=device.registration_id,
            email=device.email,
            name=device.name,
            platform=device.platform,
            client_version="2026.4.1350.0",
            connection="connected",
            eligible=True,
            seen_at=history.end,
            listed_at=history.end,
        )
        for device in history.devices
    )
    models.Device.objects.bulk_create(rows, batch_size=500, ignore_conflicts=True)
