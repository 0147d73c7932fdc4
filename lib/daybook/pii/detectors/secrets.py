"""Keys, tokens and passwords: by the prefixes that their makers give them, or by the name that stands before them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from daybook.pii.shapes import DIGIT, TOKEN, Pattern, always, contains
from daybook.pii.spans import Span

# A token goes on as long as its characters do: what it ends with is part of it, however long.
_MAKERS = (
    r"(?:sk|rk|pk)-[A-Za-z0-9_-]{16,4000}",  # OpenAI, Anthropic and those who copy them
    r"db-[A-Za-z0-9_-]{16,200}",  # our own endpoint
    r"(?:[sr]k|pk)_(?:live|test)_[A-Za-z0-9]{16,200}",  # Stripe
    r"whsec_[A-Za-z0-9+/=]{20,100}",
    r"gh[pousr]_[A-Za-z0-9]{20,255}",
    r"github_pat_[A-Za-z0-9_]{20,255}",
    r"gl(?:pat|dt|rt|ptt|cbt)-[A-Za-z0-9_-]{16,255}",
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}",
    r"AIza[A-Za-z0-9_-]{30,60}",
    r"ya29\.[A-Za-z0-9_-]{20,1000}",
    r"GOCSPX-[A-Za-z0-9_-]{20,60}",
    r"xox[abeoprs]-[A-Za-z0-9-]{10,255}",
    r"xapp-[A-Za-z0-9-]{10,255}",
    r"(?:hf|gsk|npm|pnu|pnb|pplx|r8|dop_v1|doo_v1|shpat|shpss|lin_api|sbp|glsa|dckr_pat|ntn|secret|figd|rubygems)_[A-Za-z0-9]{16,255}",
    r"xai-[A-Za-z0-9_-]{16,255}",
    r"SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}",
    r"pypi-[A-Za-z0-9_-]{40,400}",
    r"(?:key|SK|AC)-?[0-9a-f]{32}",  # Mailgun, Twilio
    r"\d{8,10}:AA[A-Za-z0-9_-]{33}",  # Telegram
    r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{5,2000}",  # JSON Web Token
)
_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])(?:" + "|".join(_MAKERS) + ")")


def _token(text: str, start: int, end: int) -> float:
    """What a maker's prefix begins: there are digits or letters of both cases in it, or many and no hyphen:
    `sk-learn-is-a-library` is words."""
    value = text[start:end]
    mixed = any(character.isdigit() for character in value) or (value != value.lower() and value != value.upper())
    return 0.95 if mixed or (len(set(value)) > 12 and "-" not in value[3:]) else 0.0


MAKERS = Pattern("secret", _TOKEN, _token, TOKEN)
PRIVATE_KEY = Pattern(
    "secret",
    re.compile(
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s\\:,.()]|-(?!----)){0,16000}"
        r"(?:-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"
    ),
    always(1.0),
    contains("-----BEGIN"),
)
_SET = re.compile(r"[:=]|[ ]is[ ]")
_NAME = re.compile(
    r"(?:api[ _-]?key|secret(?:[ _-]?(?:access[ _-]?)?key)?|access[ _-]?key|token|passw(?:or)?d|passphrase"
    r"|passcode|pwd)"
    r"[\"']?[ \t]{0,3}[:=]?\Z",
    re.IGNORECASE,
)
_FOLDER = re.compile(r"(?:~|\.{1,2})?/|[A-Za-z]:[/\\]")
"""What `pwd` names where it is no password: a shell's folder."""
_VALUE = re.compile(r"[:=>]?[ \t]{0,3}(?P<quote>[\"'`]?)(?P<value>[^\s\"'`,;<>{}()\[\]|]{6,200})")
_BEARER = re.compile(r"[Bb](?:earer|asic|EARER|ASIC)[ \t]{1,3}(?P<value>[A-Za-z0-9._~+/=-]{16,4000})")
_URL_PASSWORD = re.compile(r"(?<=://)[^\s:/@'\"<>\\]{0,100}:(?P<value>[^\s@'\"<>\\/]{3,200})@")
_CODE = re.compile(
    r"^\[[a-z_]{2,20}(?:\]|[:#])|[$%]|\*{3}|x{4}|\.{3}|…|\\u2026"
    r"|^(?:os|env|self|config|settings|process|request|none|null|true|false|str|string)\b",
    re.IGNORECASE,
)


class Credentials:
    """What stands behind `Bearer` and `Basic`, and the password in `https://user:password@host`."""

    kinds = ("secret",)
    gate = staticmethod(contains("://", "earer ", "asic ", "EARER ", "ASIC "))

    def find(self, text: str) -> Iterator[Span]:
        for match in _BEARER.finditer(text):
            if _bits(match["value"]) > 3 and DIGIT(match["value"]):
                yield Span("secret", *match.span("value"), 0.9)
        for match in _URL_PASSWORD.finditer(text):
            if not _CODE.search(match["value"]):
                yield Span("secret", *match.span("value"), 0.9)


class NamedSecrets:
    """The value behind `password=` and `"api_key":`."""

    kinds = ("secret",)
    gate = staticmethod(DIGIT)

    def find(self, text: str) -> Iterator[Span]:
        """Each value that could be one: not a variable, a placeholder or a word of the language."""
        for setting in _SET.finditer(text):
            at = setting.start()
            if not (name := _NAME.search(text[max(0, at - 24) : at])):
                continue
            match = _VALUE.match(text, setting.end())
            folder = name[0].lower().startswith("pwd") and match and _FOLDER.match(match["value"])
            if match and not folder and _is_secret(match["value"], quoted=bool(match["quote"])):
                yield Span("secret", *match.span("value"), 0.8)


def _is_secret(value: str, *, quoted: bool) -> bool:
    if _CODE.search(value) or not DIGIT(value):
        return False
    kinds = sum(bool(re.search(kind, value)) for kind in ("[a-z]", "[A-Z]", "[^A-Za-z0-9]"))
    return kinds > (0 if quoted else 1) or (kinds == 1 and len(value) >= 12 and _bits(value) > 3)


def _bits(value: str) -> float:
    """How many bits a character carries, by Shannon's measure."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
