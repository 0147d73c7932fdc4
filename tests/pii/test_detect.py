"""Personal data that has a shape."""

from __future__ import annotations

import itertools

import pytest

from daybook.pii import detect


def kinds(text: str) -> list[str]:
    return [span.kind for span in detect(text)]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to ada@example.com.", "email"),
        ("5551234567@example.com", "email"),
        ("card 4111 1111 1111 1111 please", "card"),
        ("amex 378282246310005", "card"),
        ("DE89 3704 0044 0532 0130 00", "iban"),
        ("ssn 123-45-6789", "ssn"),
        ("from 192.168.10.4 at noon", "ip"),
        ("call +44 20 7946 0958", "phone"),
        ("call (555) 123-4567", "phone"),
        ("key sk-abcdefghijklmnopqrstuvwx", "secret"),
    ],
)
def test_what_has_a_shape_is_found(text: str, kind: str) -> None:
    """Each kind in the ways it is written; where one lies in another, the longer is found, once."""
    assert kinds(text) == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "order 4111111111111112", "at 1700000000 seconds", "version 1.2.3.400", "DE89 3704 0044 0532 0130 02",
        "000-12-3456", "666-12-3456", "a|b@c", "no@tld", "10-20-30", "",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_not(text: str) -> None:
    """A check digit that fails, an impossible number, a moment in time: nothing."""
    assert kinds(text) == []


@pytest.mark.parametrize(
    ("before", "address", "after"),
    [
        ("to ", "jörg@example.com", " now"),
        ("to ", "joa\u0303o@exemplo.com.br", ","),
        ("to ", "o'brien@example.com", "'s"),
        ("to ", "d’arcy@example.org", "."),
        ("to='", "ada@example.com", "'"),
        ("‘", "ada@example.com", "’"),
        ("to ", "user@münchen.de", "."),
        ("to ", "иван@пример.рф", ", да"),
        ("to ", "user@xn--e1afmkfd.xn--p1ai", " now"),
        ("用户写信给", "ada@example.com", "谢谢"),
        ("(", "用户@例子.公司", ")"),
        ("?to=", "ada%40example.com", "&cc"),
        ("?to=", "o'neil+a%40example.org", "&cc"),
        ("to ", "ada&#64;example.com", "<br>"),
        ("to ", "ada&#x40;example.com", "<br>"),
        (r'{"to":"', r"ada\u0040example.com", '"}'),
    ],
)
def test_an_email_is_whole_in_any_script_and_any_sign_for_at(before, address, after):
    """Letters with marks or of other alphabets, an apostrophe within the name and not around it, the sign as a URL, a
    page or JSON writes it; a script without spaces takes no word from beside it."""
    assert [(s.kind, (before + address + after)[s.start : s.end]) for s in detect(before + address + after)] == [
        ("email", address)
    ]


@pytest.mark.parametrize("text", ["50%40 of 60", "é@é", "a&#64;b", "o'@b'c", "x@y.12", "'@example.com", "%40%40.com"])
def test_a_sign_for_at_alone_is_no_email(text):
    """A name before it and a domain behind it are needed, in any script."""
    assert kinds(text) == []


def test_spans_are_the_text_and_do_not_overlap() -> None:
    """Positions cut out exactly what was found, in order."""
    text = "ada@example.com, +1 212 555 0142 and bob@example.org"
    spans = detect(text)
    assert [text[s.start : s.end] for s in spans] == ["ada@example.com", "+1 212 555 0142", "bob@example.org"]
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))


def parts(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in detect(text)]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("bound to ::1", "::1"),
        ("http://[::1]:8080/", "::1"),
        ("from fe80::1%eth0 at noon", "fe80::1%eth0"),
        ("2001:db8::8a2e:370:7334.", "2001:db8::8a2e:370:7334"),
        ("(2001:db8::1)", "2001:db8::1"),
        ("::1: connection refused", "::1"),
        ("::ffff:192.168.0.1", "::ffff:192.168.0.1"),
        ("64:ff9b::192.0.2.33", "64:ff9b::192.0.2.33"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("route 2001:db8::/32", "2001:db8::/32"),
        ("192.168.10.4.", "192.168.10.4"),
    ],
)
def test_an_address_is_found_in_its_short_forms(text: str, address: str) -> None:
    """Zeros left out, with a zone, with a version-4 tail; whole, and nothing else."""
    assert parts(text) == [("ip", address)]


@pytest.mark.parametrize(
    "text",
    [
        "std::vector", "a::b::c", "dead::beef", "Foo::1", "row[::2]", "::", "10::", "12:30:45", "00:1B:44:11:3A:B7",
        "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::1", "1.2.3.4.5", "x1.2.3.4",
    ],
)  # fmt: skip
def test_colons_and_stops_alone_are_no_address(text: str) -> None:
    """Names in C++, slices, times, hardware addresses, versions."""
    assert parts(text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026 4111 1111 1111 1111", ("card", "4111 1111 1111 1111")),
        ("4111 1111 1111 1111 123", ("card", "4111 1111 1111 1111")),
        ("5 4111-1111-1111-1111 7", ("card", "4111-1111-1111-1111")),
        ("2026-11-20 4111 1111 1111 1111", ("card", "4111 1111 1111 1111")),
        ("DE89 3704 0044 0532 0130 00 AB12", ("iban", "DE89 3704 0044 0532 0130 00")),
        ("000-12-3456 123-45-6789", ("ssn", "123-45-6789")),
        ("999.168.10.4 10.0.0.1", ("ip", "10.0.0.1")),
        ("amex 3782 822463 10005", ("card", "3782 822463 10005")),
    ],
)
def test_a_candidate_that_fails_gives_its_characters_back(text: str, found: tuple[str, str]) -> None:
    """What begins within it, or ends before it, is looked at too."""
    assert parts(text) == [found]


@pytest.mark.parametrize(
    ("digits", "card"),
    [
        ("4222222222222", True),  # 13 digits, the fewest
        ("422222222222", False),
        ("6304000000000000000", True),  # 19 digits, the most
        ("63040000000000000000", False),
        ("1700000000004", False),  # a moment in milliseconds, with a check digit that agrees by chance
        ("1700000000000006", False),  # in microseconds
        ("1700000000000000002", False),  # in nanoseconds
        ("5000000000009", False),
        ("0000000000000018", False),
        ("4111111111111111", True),
        ("4111111111111112", False),
    ],
)
def test_a_card_has_thirteen_to_nineteen_digits_and_is_no_moment(digits: str, card: bool) -> None:
    """Exact limits, and what only chance makes a card."""
    assert parts(f"it is {digits}.") == ([("card", digits)] if card else [])


LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI NL", 19: "MK SI", 20: "AT EE LT LU", 21: "CH HR LV", 22: "BG DE GB IE", 23: "AE IL",
    24: "CZ ES RO SE", 25: "PT", 26: "TR", 27: "FR GR IT", 28: "CY HU PL", 29: "BR UA", 30: "KW", 31: "MT",
    32: "LC", 33: "RU",
}  # fmt: skip
ACCOUNTS = [(country, n) for n, countries in LENGTHS.items() for country in countries.split()]


def account(country: str, n: int) -> str:
    """An account number of that length whose check digits are right."""
    body = "1234567890" * 4
    rest = body[: n - 4]
    check = 98 - int("".join(str(int(c, 36)) for c in f"{rest}{country}00")) % 97
    return f"{country}{check:02d}{rest}"


@pytest.mark.parametrize(("country", "n"), ACCOUNTS)
def test_an_account_number_has_its_countrys_length(country, n):
    """In one piece and in groups of four; with right check digits, but one shorter or longer, it is none."""
    number = account(country, n)
    grouped = " ".join(number[i : i + 4] for i in range(0, n, 4))
    for text in (number, grouped):
        assert [(s.kind, s.start, s.end) for s in detect(f"to {text}.")] == [("iban", 3, 3 + len(text))]
    assert not [s for s in detect(account(country, n - 1)) if s.kind == "iban"]
    assert not [s for s in detect(account(country, n + 1)) if s.kind == "iban"]
    other = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert not [s for s in detect(other) if s.kind == "iban"]


@pytest.mark.parametrize(
    "text",
    [
        "1 (555) 123-4567", "1-555-123-4567", "1.555.123.4567", "1 555 123 4567", "1(555)123-4567",
        "001 (555) 123-4567", "0049 (30) 123 4567", "(555) 123-4567", "555-123-4567", "+491512345678901",
        "001-555-123-4567", "555-123-4567x4587", "(555)123-4567x0135", "+1-555-123-4567x508",
        "0123-456-7890x123456", "+491512345678901x123456",
    ],
)  # fmt: skip
def test_a_phone_with_a_trunk_or_country_code_is_whole(text):
    """What stands before the brackets is part of it, and an extension behind it; fifteen digits are the most that there
    are, the extension's not counted."""
    assert [(s.kind, s.start, s.end) for s in detect(f"call {text} now")] == [("phone", 5, 5 + len(text))]


@pytest.mark.parametrize("text", ["+4915123456789012", "12 (555) 123-4567 8", "555-123-4567x1234567"])
def test_more_digits_than_a_phone_has_are_none_or_a_part(text):
    """Sixteen after a plus are no phone."""
    assert [s for s in detect(text) if s.end - s.start == len(text)] == []


@pytest.mark.parametrize("unit", ["AB12 ", "GB82 ", "1-eyJ", "4111\u00a0", "(555) ", "a@a.", "1:2:", "+1 "])
def test_a_long_text_of_one_piece_is_searched_to_its_end(unit):
    """What begins like personal data again and again hides nothing that comes after it."""
    text = unit * (50_000 // len(unit))
    assert detect(f"{text} or ada@example.com")[-1].kind == "email"


@pytest.mark.parametrize("text", ["4444 4444 4444 4444", "5555555555555555"])
def test_a_row_of_one_digit_is_no_card(text):
    """Whatever its check digit says."""
    assert [s for s in detect(text) if s.kind == "card"] == []


@pytest.mark.parametrize(("text", "found"), [("+49 494 949 494", False), ("+49 494 949 495", True)])
def test_a_phone_has_three_different_digits(text, found):
    """Two of them are a filler; the third makes it a number."""
    assert bool([s for s in detect(text) if s.kind == "phone"]) == found
