from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from commands.actions.administration import restore
from commands.queries import heartbeats


def _parse_time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("enter a time such as 2026-11-22T06:00 (UTC unless it has an offset)") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = (
        "Run this once after restoring a database, before any worker starts. Commands that may have been sent since "
        "the backup are never sent again. Cloudflare's list shows what happened to them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--taken-at",
            type=_parse_time,
            metavar="TIME",
            help="when the backup was taken (default: the latest time stored in it)",
        )

    def handle(self, *, taken_at: datetime | None, **options: Any) -> None:
        now = timezone.now()
        done = restore.after_restore(now=now, since=taken_at)
        since = done.since.astimezone(UTC)
        self.stdout.write(
            f"This database may not know all commands that were sent after {since.day} {since:%b %Y, %H:%M:%S} UTC."
        )
        self.stdout.write(f"Commands that are now uncertain, until Cloudflare's list shows them: {done.uncertain}.")
        if done.waiting:
            self.stdout.write(f"Commands that wait for another command on the same device first: {done.waiting}.")
        if alive := heartbeats.liveness().alive:
            names = ", ".join(sorted(alive))
            self.stderr.write(f"These processes seem to be running: {names}. Stop every worker before a restore.")
