"""What may be shown: what is found is replaced by its kind, and nothing else is touched."""

from __future__ import annotations

import base64

import pytest

from daybook.pii import excerpt, masked, masked_html

PERSONAL = {
    "email": "ada@example.com",
    "card": "4111 1111 1111 1111",
    "iban": "GB82 WEST 1234 5698 7654 32",
    "phone": "1 (555) 123-4567",
    "ssn": "536-22-1234",
    "ip": "203.0.113.7",
}


@pytest.mark.parametrize(("kind", "text"), PERSONAL.items())
def test_each_kind_is_replaced_by_its_name(kind, text):
    """Alone, at the beginning, within a sentence, at its end, and twice."""
    assert masked(text) == f"[{kind}]"
    assert masked(f"{text}, {text}") == f"[{kind}], [{kind}]"
    assert masked(f"Call {text}.") == f"Call [{kind}]."
    assert masked(f"To: {text}") == f"To: [{kind}]"


@pytest.mark.parametrize(("kind", "text"), PERSONAL.items())
def test_an_excerpt_shows_no_half_of_a_datum(kind, text):
    """Wherever the cut falls, before, within and behind it: never a digit or a letter of it."""
    for longest in range(40):
        assert excerpt(f"Write to {text} now", longest) == f"Write to [{kind}] now"[:longest]
    assert excerpt(None, 40) == "None"


@pytest.mark.parametrize(
    "text",
    ["", "-23.1 points (95 % interval -30.6 to -10.7)", "sha256:0f3a", "2026-11-26 22:41 UTC", "127 of 600"],
)
def test_what_is_nobodys_stays(text):
    """Figures, digests, moments."""
    assert (masked(text), masked_html(text)) == (text, text)


def test_html_loses_what_people_read_and_keeps_its_pictures():
    """Cells, captions, alternative texts and links; tags, style sheets and a picture's bytes are left as they are."""
    picture = "data:image/png;base64," + base64.b64encode(b"4111111111111111 ada@example.com" * 9).decode()
    style = "<style>#T1 .x {width: 4111111111111111px}</style>"
    page = (
        f'{style}<table id="T_4111111111111111x"><caption>To ada@example.com</caption><td>{PERSONAL["iban"]}</td>'
        f'</table><img alt="ada@example.com" src="{picture}"><a href="mailto:ada@example.com">write</a>'
    )
    assert masked_html(page) == (
        f'{style}<table id="T_4111111111111111x"><caption>To [email]</caption><td>[iban]</td>'
        f'</table><img alt="[email]" src="{picture}"><a href="mailto:[email]">write</a>'
    )


@pytest.mark.parametrize("kind", PERSONAL)
def test_a_cell_is_masked_whatever_stands_around_it(kind):
    """Between tags, after a line's end, beside an entity."""
    text = PERSONAL[kind]
    assert masked_html(f"<td>{text}</td><td>\n{text}\n</td>&lt;{text}&gt;") == (
        f"<td>[{kind}]</td><td>\n[{kind}]\n</td>&lt;[{kind}]&gt;"
    )


@pytest.mark.parametrize(
    "sheet", ["<style>\n.a {width: 4111111111111111px}\n</style>", "<STYLE scoped>\n.b{c: 4111111111111111}</STYLE>"]
)
def test_a_style_sheet_is_no_text_however_it_is_written(sheet):
    """Over several lines, in capitals, with attributes; what comes after it is text again."""
    assert masked_html(f"{sheet}<p>ada@example.com</p>") == f"{sheet}<p>[email]</p>"


@pytest.mark.parametrize("tag", ['<style title="ada@example.com">', '<img alt="ada@example.com">'])
def test_attributes_are_masked_but_for_a_style_sheets(tag):
    """A tag that stands alone, and one that opens a sheet."""
    closed = f"{tag}</style>" if tag.startswith("<style") else tag
    assert ("ada@example.com" in masked_html(closed)) == tag.startswith("<style")
