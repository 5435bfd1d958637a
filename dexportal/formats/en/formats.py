"""Date and time formats of the admin: 24-hour times, the day before the month, and the time zone.

Django reads this module through FORMAT_MODULE_PATH. What it lacks is as in Django's own formats of English.
"""

DATE_FORMAT = SHORT_DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "j M Y, H:i e"
YEAR_MONTH_FORMAT = "M Y"
MONTH_DAY_FORMAT = "j M"
FIRST_DAY_OF_WEEK = 1  # Monday
