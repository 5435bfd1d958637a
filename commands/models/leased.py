from django.db import models


class Leased(models.Model):
    """Work that one worker at a time may hold. Only `actions/record/leases.py` writes these columns.

    Times are by the database's clock. A token that is no longer the row's own means that the lease was lost.
    """

    lease_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    not_before = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
