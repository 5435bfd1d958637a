from django.db import models


class Leased(models.Model):
    """Base class of rows that one worker at a time may work on. Only `actions/record/leases.py` writes the columns.

    Times are the database's. A worker whose token is no longer in the row has lost the lease.
    """

    lease_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    not_before = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
