import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from commands.actions.administration import doctor
from commands.redaction import scrub


class Command(BaseCommand):
    help = "Checks everything dexportal needs and says how to fix problems. The exit status is 1 if a check fails."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        problems = 0
        for result in doctor.examine(now=timezone.now):
            mark = "ok  " if result.is_ok else "FAIL"
            self.stdout.write(scrub(f"{mark}  {result.subject}: {result.message}"))
            if result.advice:
                self.stdout.write(f"      -> {scrub(result.advice)}")
                problems += 1
        count = "1 problem." if problems == 1 else f"{problems} problems."
        self.stdout.write(count if problems else "All checks passed.")
        if problems:
            sys.exit(1)
