"""Web pages: what a reader sees, in Markdown."""

from __future__ import annotations

import pytest

from ingest.loaders.html import read_html


def markdown(body: str) -> str:
    return read_html(f"<html><body>{body}</body></html>").markdown


def test_cells_that_span_repeat_their_text() -> None:
    table = (
        "<table><tr><th>Site</th><th colspan=2>Hours</th></tr>"
        "<tr><td rowspan=2>Leeds</td><td>8</td><td>9</td></tr><tr><td>10</td><td>11</td></tr></table>"
    )
    assert markdown(table) == ("| Site | Hours | Hours |\n| --- | --- | --- |\n| Leeds | 8 | 9 |\n| Leeds | 10 | 11 |")


@pytest.mark.parametrize("span", ["0", "-1", "x", "99999999999"])
def test_absurd_spans_do_no_harm(span: str) -> None:
    assert "A" in markdown(f"<table><tr><td colspan='{span}' rowspan='{span}'>A</td></tr><tr><td>B</td></tr></table>")


def test_a_layout_table_is_dissolved_and_a_table_in_a_cell_becomes_words() -> None:
    inner = "<table><tr><td>x</td><td>y</td></tr></table>"
    assert markdown(f"<table role=presentation><tr><td><h2>News</h2><p>Text</p></td></tr></table>{inner}").startswith(
        "## News\n\nText"
    )
    data = f"<table><tr><th>A</th><th>B</th></tr><tr><td>{inner}</td><td>1</td></tr></table>"
    assert markdown(data).endswith("| x y | 1 |")


def test_menus_hidden_parts_and_scripts_are_left_out() -> None:
    page = (
        "<nav>Home Products</nav><div hidden>h</div><div style='color:red; display: none'>d</div>"
        "<div role=navigation>n</div><script>s()</script><!-- remark --><p>Seen</p><button>Buy</button>"
    )
    assert markdown(page) == "Seen"


def test_the_main_part_counts_when_it_holds_most_of_the_words() -> None:
    assert markdown("<header>Company</header><main><p>Long enough text of the page.</p></main>") == (
        "Long enough text of the page."
    )
    assert "Everything else" in markdown("<main>Hi</main><p>Everything else stands outside of the main part.</p>")


def test_links_pictures_boxes_and_code() -> None:
    assert markdown("<a href='https://a.example' title='t'>here</a> <a href='#top'>up</a>") == (
        "[here](https://a.example) up"
    )
    assert markdown("<img src='data:image/png;base64,AAAA' alt='The gate'>") == "![The gate](image)"
    assert markdown("<ul><li><input type=checkbox checked> Tea</li><li><input type=checkbox> Milk</li></ul>") == (
        "- [x]  Tea\n- [ ]  Milk"
    )
    assert markdown("<pre>a\n  b</pre>") == "```\na\n  b\n```"
    assert markdown("<p>snake_case and 2*3 stay, <b>bold</b> loses its marks</p>") == (
        "snake_case and 2*3 stay, bold loses its marks"
    )


def test_properties_and_charsets() -> None:
    page = "<html lang=de><head><meta charset=iso-8859-2><title>Urlop</title><meta name=author content=Ada></head>"
    read = read_html((page + "<body>Żółć</body></html>").encode("iso8859-2"))
    assert read.markdown == "Żółć"
    assert read.properties == {"title": "Urlop", "author": "Ada", "language": "de"}
    wrong = "<meta charset=iso-8859-1><p>Grüße</p>".encode()
    assert read_html(wrong).markdown == "Grüße"
