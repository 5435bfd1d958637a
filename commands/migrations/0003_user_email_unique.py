"""No two people have the same email address, whatever its capitals."""

from collections import defaultdict

import django.db.models.functions.text
from django.core.management.base import CommandError
from django.db import migrations, models


def check(apps, schema_editor):
    """Name the people who share an address, because the database would only name the index."""
    names = defaultdict(list)
    for person in apps.get_model("commands", "User").objects.exclude(email="").order_by("pk"):
        names[person.email.lower()].append(person.username)
    shared = [" and ".join(people) for people in names.values() if len(people) > 1]
    if shared:
        raise CommandError(
            f"These people share an email address: {'; '.join(shared)}. "
            "Give each of them an own address, or none, with the version before this one. Then upgrade again."
        )


class Migration(migrations.Migration):
    dependencies = [("commands", "0002_event_append_only_trigger")]
    operations = [
        migrations.RunPython(check, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(
                django.db.models.functions.text.Lower("email"),
                condition=models.Q(("email", ""), _negated=True),
                name="user_email_unique",
                violation_error_message="Another person has this email address.",
            ),
        ),
    ]
