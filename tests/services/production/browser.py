"""A person before the portal's pages, behind the proxy that ends TLS: plain HTTP with the proxy's headers."""

from html.parser import HTMLParser

import requests

TIMEOUT = 30.0

type Fields = dict[str, list[str]]


class Person:
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
        return self._ask("GET", path)

    def post(self, path: str, fields: Fields) -> requests.Response:
        return self._ask("POST", path, fields)

    def _ask(self, method: str, path: str, fields: Fields | None = None) -> requests.Response:
        """Cookies of https are told here by hand: the library keeps them, but tells them to no plain HTTP."""
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._session.cookies)
        return self._session.request(
            method,
            self._base + path,
            data=fields,
            headers={"Cookie": cookies},
            timeout=TIMEOUT,
            allow_redirects=False,
        )

    def sign_in(self, name: str, password: str) -> None:
        fields = form_with(self.get("/accounts/login/").text, "login")
        answer = self.post("/accounts/login/", fields | {"login": [name], "password": [password]})
        assert answer.status_code == 302, answer.text


def form_with(page: str, field: str) -> Fields:
    """The form on the page that has this field, filled in as the page comes."""
    reader = _Forms()
    reader.feed(page)
    return next(form for form in reader.forms if field in form)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Fields] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self.forms.append({})
        name = given.get("name")
        if tag not in {"input", "textarea", "select"} or not name or not self.forms:
            return
        values = self.forms[-1].setdefault(name, [])
        ticks = given.get("type") in {"checkbox", "radio"}
        if tag == "input" and (not ticks or "checked" in given):
            values.append(given.get("value") or ("on" if ticks else ""))
