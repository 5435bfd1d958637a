from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from commands.actions.administration import heartbeats, restore


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("a time such as 2026-11-22T06:00 (UTC unless it names a zone)") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = (
        "To be run once after a database was restored, before a worker starts: what may have been sent since the "
        "backup is never sent again; Cloudflare's lists decide what became of it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--taken-at",
            type=_instant,
            metavar="TIME",
            help="when the backup was taken; by default the latest time that it bears itself",
        )

    def handle(self, *, taken_at: datetime | None, **options: Any) -> None:
        now = timezone.now()
        done = restore.after_restore(now=now, since=taken_at)
        self.stdout.write(
            f"Since {done.since:%Y-%m-%d %H:%M:%S} UTC something may have been sent that is not known here."
        )
        self.stdout.write(f"{done.uncertain} commands are uncertain now: Cloudflare's list decides.")
        if done.waiting:
            self.stdout.write(f"{done.waiting} more follow, one after the other, as their machines become free.")
        if alive := heartbeats.signs().alive:
            names = ", ".join(sorted(alive))
            self.stderr.write(f"Were there signs of life of {names} just now? Stop every worker before a restore.")
