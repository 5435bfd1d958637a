"""CSS selectors over the HTML of a response, for tests."""

from dataclasses import dataclass
from typing import Self

from django.http import HttpResponse, HttpResponseBase
from selectolax.lexbor import LexborHTMLParser, LexborNode


@dataclass(frozen=True)
class Element:
    """Element of a page. `element["href"]` is an attribute, and `"disabled" in element` tells whether it has one."""

    node: LexborNode

    def __getitem__(self, name: str) -> str:
        return self.node.attributes[name] or ""

    def __contains__(self, name: str) -> bool:
        return name in self.node.attributes

    def get(self, name: str, default: str = "") -> str:
        """Return an attribute, or the default if the element does not have it."""
        return self.node.attributes.get(name, default) or ""

    def select(self, css: str) -> list["Element"]:
        """Return the elements that a CSS selector matches, in the order of the page."""
        return [Element(node) for node in self.node.css(css)]

    def one(self, css: str) -> "Element":
        """Return the only element that a CSS selector matches, and fail unless there is exactly one."""
        elements = self.select(css)
        assert len(elements) == 1, f"{len(elements)} elements match {css}: {[each.text() for each in elements]}"
        return elements[0]

    def text(self, css: str = "") -> str:
        """Return the text of this element, or of the only one that a CSS selector matches, on one line."""
        node = self.one(css).node if css else self.node
        return " ".join(node.text(separator=" ").split())

    def texts(self, css: str) -> list[str]:
        """Return the text of each element that a CSS selector matches."""
        return [element.text() for element in self.select(css)]


@dataclass(frozen=True)
class Page(Element):
    """Whole page, or part of a page that htmx fetches."""

    html: str

    @classmethod
    def of(cls, response: HttpResponseBase) -> Self:
        """Read the content of a response."""
        assert isinstance(response, HttpResponse)
        return cls.parse(response.content.decode())

    @classmethod
    def parse(cls, html: str) -> Self:
        """Read HTML, with or without a <body>."""
        # A selector does not reach into a <template>, in which htmx receives rows. <table> may hold rows, too.
        readable = html.replace("<template>", "<table>").replace("</template>", "</table>")
        node = LexborHTMLParser(readable.replace("<wbr>", "")).root  # a <wbr> only splits the text of an address
        assert node is not None
        return cls(node, html)

    def inline_code(self) -> list[str]:
        """Return inline scripts, styles and event handlers, which the content security policy blocks."""
        scripts = self.select("script:not([src]):not([type='application/json'])")
        handlers = [each for each in self.select("*") if any(name.startswith("on") for name in each.node.attributes)]
        return [element.node.html or "" for element in (*scripts, *self.select("style, [style]"), *handlers)]
