"""Session of a user behind the proxy that ends TLS: plain HTTP with the headers of the proxy."""

import requests

from tests.html import Element, Page
from tests.polling import MAX_WAIT

type Fields = dict[str, list[str]]


class UserSession:
    def __init__(self, port: int, public_url: str) -> None:
        self._base = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(
            {
                "Host": public_url.removeprefix("https://"),
                "Origin": public_url,
                "X-Forwarded-Proto": "https",
                "X-Forwarded-For": "203.0.113.7",
            }
        )

    def get(self, path: str) -> requests.Response:
        return self._request("GET", path)

    def post(self, path: str, fields: Fields) -> requests.Response:
        return self._request("POST", path, fields)

    def _request(self, method: str, path: str, fields: Fields | None = None) -> requests.Response:
        """Send a request. Set the cookies by hand, because `requests` does not send secure cookies over plain HTTP."""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._session.cookies)
        return self._session.request(
            method,
            self._base + path,
            data=fields,
            headers={"Cookie": cookies},
            timeout=MAX_WAIT,
            allow_redirects=False,
        )

    def sign_in(self, name: str, password: str) -> None:
        fields = find_form(self.get("/accounts/login/").text, "login")
        response = self.post("/accounts/login/", fields | {"login": [name], "password": [password]})
        assert response.status_code == 302, response.text


def find_form(html: str, field: str) -> Fields:
    """Return the form that has this field, with the values of the page."""
    forms = [_fields(form) for form in Page.parse(html).select("form")]
    return next(form for form in forms if field in form)


def _fields(form: Element) -> Fields:
    fields: Fields = {}
    for element in form.select("input[name], textarea[name], select[name]"):
        values = fields.setdefault(element["name"], [])
        can_be_checked = element.get("type") in {"checkbox", "radio"}
        if element.node.tag != "input" or (can_be_checked and "checked" not in element):
            continue
        values.append(element.get("value") or ("on" if can_be_checked else ""))
    return fields
