"""Selectors over HTML that tests use."""

import pytest

from tests.html import Page

PAGE = Page.parse(
    """
    <h1>Status of
      <a href="/?a=1&amp;b=2">LAP-<wbr>1</a></h1>
    <p role="status">2 commands&#x27; files</p><p role="status" hidden>none</p>
    <template><tbody id="rows"><tr id="row-1"><td>Done</td><td>Acme</td></tr></tbody></template>
    """
)


def test_text_is_on_one_line_without_markup() -> None:
    assert PAGE.text("h1") == "Status of LAP-1"
    assert PAGE.texts("[role=status]") == ["2 commands' files", "none"]


def test_attribute_is_read_from_its_element() -> None:
    assert PAGE.one("a")["href"] == "/?a=1&b=2"
    assert "hidden" in PAGE.select("p")[1]
    assert "hidden" not in PAGE.select("p")[0]


def test_rows_in_a_template_are_matched() -> None:
    assert PAGE.one("#rows").text("#row-1") == "Done Acme"


@pytest.mark.parametrize("css", ["p", "form"])
def test_selector_of_one_element_fails_for_several_or_none(css: str) -> None:
    with pytest.raises(AssertionError, match=f"elements match {css}"):
        PAGE.one(css)


@pytest.mark.parametrize(
    ("html", "count"),
    [
        ("<script>run()</script>", 1),
        ("<style>a {}</style>", 1),
        ('<a style="color: red" onclick="run()"></a>', 2),
        ('<script src="/x.js"></script><script type="application/json">{}</script>', 0),
    ],
)
def test_inline_code_is_found(html: str, count: int) -> None:
    assert len(Page.parse(html).inline_code()) == count
