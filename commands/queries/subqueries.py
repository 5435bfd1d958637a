"""How many rows a query has, as one column of another query."""

from django.db.models import IntegerField, Subquery


class SubqueryCount(Subquery):
    """Of a query of one column; it may be cut, so that a count stops somewhere."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()
