import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from commands.actions.administration import doctor
from commands.redaction import scrub


class Command(BaseCommand):
    help = "Looks at everything that the portal needs; says what is wrong and how to mend it. Status 1 if anything is."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        wrong = 0
        for finding in doctor.examine(now=timezone.now):
            mark = "ok   " if finding.is_well else "WRONG"
            self.stdout.write(scrub(f"{mark}  {finding.subject}: {finding.words}"))
            if finding.mend:
                self.stdout.write(f"       -> {scrub(finding.mend)}")
                wrong += 1
        self.stdout.write("All is well." if not wrong else f"{wrong} to mend.")
        if wrong:
            sys.exit(1)
