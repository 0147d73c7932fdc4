"""What names a person or a machine on a network: e-mail, URL, IP and MAC addresses."""

from __future__ import annotations

import ipaddress
import re

from daybook.pii.shapes import LETTERS, Pattern, always, contains, word_before

_W = LETTERS + "0-9"
_LOCAL = rf"(?<![{_W}_.%+-])[{_W}_.%+-](?:['’]?[{_W}_.%+-]){{0,63}}"
_UNSPACED = r"[\u0e00-\u0eff\u1000-\u10ff\u1780-\u17ff\u3041-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
"""Letters of scripts that part no words: they are a name alone, because beside another it is the next word."""
_PART = rf"(?:[{_W}](?:[{_W}-]{{0,61}}[{_W}])?|{_UNSPACED}{{1,16}})"
_TOP = rf"(?:(?:xn--[A-Za-z0-9-]{{1,59}}|[{LETTERS}]{{2,24}})(?![{_W}_])|{_UNSPACED}{{2,8}})"
EMAIL = Pattern(
    "email",
    re.compile(
        rf"(?:{_LOCAL}|(?<!{_UNSPACED}){_UNSPACED}{{1,16}})@"
        rf"{_PART}(?:\.(?:[{_W}-]{{1,63}}|{_UNSPACED}{{1,16}})){{0,8}}\.{_TOP}"
    ),
    always(1.0),
    contains("@"),
)
_NOBODYS = 0.3
"""Below the usual threshold: what every machine calls itself, every network's mask, and the resolvers of everybody."""
_OWN_MACHINE = re.compile(
    r"\w{2,5}://(?:localhost|127(?:\.\d{1,3}){3}|0\.0\.0\.0)(?![\w.@-]|:[^\s/]{0,100}@)", re.IGNORECASE
)
_RESOLVERS = frozenset(("1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "208.67.222.222", "208.67.220.220"))
_INTERNAL = 0.6
"""Of a network that nobody outside can reach, or of a manual."""
URL = Pattern(
    "url",
    re.compile(
        r"(?<![A-Za-z0-9@.])(?:(?:https?|ftp|wss?)://|www\.)(?=[A-Za-z0-9\[])[^\s<>\"'`{}|\\^]{2,2000}"
        r"(?<![.,;:!?)\]*_])",
        re.IGNORECASE,
    ),
    lambda text, start, end: _NOBODYS if _OWN_MACHINE.match(text, start) else 1.0,
    contains("://", "www.", "WWW."),
)

_SOFTWARE = re.compile(
    r"\b(?:version|release|firmware|build|section|chapter|clause|figure|table|upgrade[ds]?|ver|rev|schema|assembly"
    r"|driver|kernel|patch)\b"
)


def _moved(text: str, start: int) -> bool:
    """Whether it is one of the versions between which something moved: `Bumped openssl from 1.1.1.20 to …`."""
    line = text[max(0, start - 80) : start].rpartition("\n")[2].lower()
    return line.endswith((" to ", " from ")) and _MOVES.search(line) is not None


_MOVES = re.compile(r"\b(?:bump|upgrad|downgrad|updat|migrat)(?:e|es|ed|ing|s)?\b")


def _address(text: str, start: int, end: int) -> float:
    """An address, with a zone or a prefix's length or without. `::` alone says nothing, and neither do letters alone
    (`dead::beef` is a name in C++) or a number before it (`10::`). Four numbers that a version's word precedes are a
    version. `::1` stays an address, though every machine has it: it is no word that logs are full of."""
    bare, _, prefix = text[start:end].partition("/")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return 0.0
    if ":" not in bare:
        reserved = bare.startswith("0.") and bare != "0.0.0.0"  # noqa: S104  # a text, nothing is bound
        product = start > 1 and text[start - 1] == "/" and text[start - 2].isalpha()
        if reserved or product or word_before(text, start, _SOFTWARE) or _moved(text, start):
            return 0.0
        if address.is_loopback or address.is_unspecified or bare.startswith("255.") or bare in _RESOLVERS:
            return _NOBODYS
        return 0.95 if address.is_global else _INTERNAL
    if "::" not in bare:
        return 0.95
    groups = [group for group in bare.partition("%")[0].split(":") if group]
    named = any(character.isdigit() for group in groups for character in group)
    known = named and (len(groups) > 1 or bare.startswith("::") or bool(prefix) or address.is_link_local)
    return 0.95 if known else 0.0


IPV4 = Pattern(
    "ip", re.compile(r"\d(?<![\w.]\d)\d{0,2}\.(?:\d{1,3}\.){2}\d{1,3}(?!\w|\.\d|-[A-Za-z])"), _address, contains(".")
)
IPV6 = Pattern(
    "ip",
    re.compile(
        r"(?<![\w:.])(?:[0-9a-fA-F]{1,4})?(?::[0-9a-fA-F]{0,4}){1,6}:(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\d)"
        # An address in colons, never within a word (`std::vector`) or a subscript (`row[::2]`).
        r"|(?<![\w:.])(?<!\w\[)(?:[0-9a-fA-F]{1,4})?(?::[0-9a-fA-F]{0,4}){2,8}"
        r"(?:%\w{1,15})?(?:/\d{1,3})?(?!\w|:[\w:])"
    ),
    _address,
    re.compile(":[0-9a-fA-F]{0,4}[:.]").search,
    whole=False,
)
MAC = Pattern(
    "mac",
    re.compile(
        r"[0-9A-Fa-f]{2}(?<![\w:.-]..)(?:([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}"
        r"|[0-9A-Fa-f]{2}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})(?![\w]|[:.-]\w)"
    ),
    lambda text, start, end: 0.9 if re.search("[0-9]", text[start:end]) and len(set(text[start:end])) > 2 else 0.0,
    re.compile("[0-9a-fA-F](?:[:-][0-9a-fA-F]{2}[:-]|[.][0-9a-fA-F]{4}[.])").search,
)
