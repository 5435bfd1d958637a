from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from commands.rules import states_diagram


class Command(BaseCommand):
    help = "Writes docs/states.md from commands/rules/states.py. --check only compares."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="fail when the file is not what would be written")
        parser.add_argument("--file", type=Path, default=settings.BASE_DIR / "docs" / "states.md")

    def handle(self, *, check: bool, file: Path, **options: Any) -> None:
        drawing = states_diagram.diagram()
        if not check:
            file.write_text(drawing, encoding="utf-8")
        elif not file.exists() or file.read_text(encoding="utf-8") != drawing:
            raise CommandError(f"{file.name} does not match commands/rules/states.py. Run manage.py states_diagram.")
