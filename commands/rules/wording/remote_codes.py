"""Numbers with which Cloudflare explains a failure."""

HTTP_STATUS = "HTTP {number}"
CODE = "code {number}"


def list_codes(http_status: int | None, code: int | None) -> str:
    """Return the numbers that Cloudflare sent, such as “HTTP 403, code 10000”. '' if it sent none."""
    numbers = ((HTTP_STATUS, http_status), (CODE, code))
    return ", ".join(template.format(number=number) for template, number in numbers if number)
