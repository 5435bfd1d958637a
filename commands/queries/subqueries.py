"""Count of the rows of a query, as one column of another query."""

from django.db.models import IntegerField, Subquery


class SubqueryCount(Subquery):
    """COUNT over a query of one column. The query may have a limit, at which the count stops."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()
