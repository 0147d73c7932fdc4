"""Texts without personal data: nothing is found in them, whatever is looked for."""

# ruff: noqa: E501  # texts as they are found

from __future__ import annotations

import random
import uuid

import pytest

from daybook.pii import KINDS, detect, masked

TEXTS = {
    "a log": """2026-11-20T12:00:01.123456+00:00 INFO  worker[4711] request 8f14e45f served in 12.75 ms, 200, 14832 bytes
2026-11-20 12:00:02,481 WARN  pool-3-thread-17 retry 2/5 in 1500 ms: E1102 at 0x00007f8a3c0012a0
[1732104002.482910] usb 1-1.4: new high-speed USB device number 12 using xhci_hcd
Nov 20 12:00:03 host kernel: audit: type=1400 pid=8812 uid=1000 exit=-13 a0=7ffd3a2b11c0
level=error ts=1764252000000 trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 code=504""",
    "code": """from std import vector
x = row[::2]; y = data[1:10:3]; z = a::b::c
def area(r): return 3.141592653589793 * r ** 2  # 12:30:45 is a time
const VERSION = "4.18.2"; const API = "v1beta1";
password = os.environ["DB_PASSWORD"]; token = get_token(user_id)
api_key = settings.API_KEY
if self.password is None: raise ValueError("password is required")
#define MAX 0xFFFFFFFF
UPDATE t SET n = 1234567890 WHERE id = 987654321;""",
    "a changelog": """## 2.31.0 (2023-05-22)
- Bumped urllib3 to 1.26.15 and openssl from 1.1.1.20 to 3.0.8
- Fixed #6434, #6435 and #10021; see PR 12345
## [1.0.0-rc.1] - 2024-02-29
Requires Python >=3.8, tested with 3.12.0. Version 10.0.19041.1 and release 6.1.0.22 are not supported.
commit 9fceb02d0ae598e95dc970b74767f19372d61af8""",
    "an invoice": """Invoice no. 2024-000123   Order number: 4500012345   Customer 100-234-5678
Date: 03/12/2024   Due: 2024-04-01
1  SKU 8712345-001  Widget, blue      12 x 19.99   239.88
2  Part no. 555-0199-22               3 x 1,250.00  3,750.00
Subtotal 3,989.88  Tax 19 %  758.08  Total 4,747.96 EUR
Tracking number 1Z999AA10123456784, ticket INC0012345, ref 555-123-4567""",
    "a table": """      n     mean      std      p50      p95
0  1200   12.345    3.210   11.900   19.870
1  3400  123.456   45.678  119.100  210.400
2   536   22 1234  0.001   0.0005   0.0021
3  1000000  2000000  3000000  4000000  5000000
4  123 456 789  987 654 321
5  0.12 0.34 0.56 0.78 0.91
0116 185831 185831
part no 4313173500367 rev 7""",
    "figures": "-23.1 points (95 % interval -30.6 to -10.7), 127 of 600, 1 234 567 rows, 12 500,00 EUR, 5-10 %, 3:2, 16:9, 24/7",
    "digests": """sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
md5 d41d8cd98f00b204e9800998ecf8427e  etag "33a64df551425fcc55e4d42a148795d9f25f89d4"
3f:9a:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22 is a fingerprint
550e8400-e29b-41d4-a716-446655440000 {6ba7b810-9dad-11d1-80b4-00c04fd430c8}""",
    "times": "2026-11-26 22:41 UTC, 2026-11-26T22:41:07Z, 20261126T224107, 12:30, 12:30:45.123, P1Y2M10DT2H30M, 1764252000, 1764252000000",
    "prose": """The American Revolution began in 1775. Chapter 11, verse 22. He ran 42 km in 3 hours and 12 minutes.
Room 101 is on floor 3; the meeting is at 10 and the 2nd of May was a Sunday. Windows 11 has 64-bit support.
The passport office closes at 17:00. A driver's licence costs 43 pounds. Zip the file. Call me later.
Her card was declined; they aged 12 casks of a 10 year old whisky. Mr and Mrs are titles. I am 100 % sure.
The phone costs 799 dollars and the tax is 19 %. Our national team won 3 of 12 games. Dr. is an abbreviation.""",
    "names of things": "ISBN 978-3-16-148410-0, EAN 4006381333931, DOI 10.1000/182, RFC 2119, ISO 8601-1:2019, 802.11ac, CVE-2024-12345, arXiv:2106.09685v2, UTF-8, x86_64, COVID-19, A4, B2B, H2O, IMEI 490154203237518",
    "measures": "10 Downing forces of 3.5 kN; 5 Way switch; 100 Base T; 40 Foot Container; 12 Angry Men; 7 Days; 2001 A Space Odyssey",
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_nobodys_is_left_alone(name):
    """Logs, code, changelogs, invoices, tables, digests, times, names of things: every kind is looked for."""
    text = TEXTS[name]
    found = [(span.kind, text[span.start : span.end]) for span in detect(text, KINDS)]
    assert found == []
    assert masked(text) == text


def test_made_up_identifiers_are_left_alone():
    """GUIDs, digests, moments, order numbers and versions by the thousand: at most one in a thousand is mistaken."""
    rng = random.Random(7)
    makers = [
        lambda: str(uuid.UUID(int=rng.getrandbits(128))),
        lambda: rng.randbytes(32).hex(),
        lambda: str(rng.randrange(1_500_000_000, 1_900_000_000)),
        lambda: str(rng.randrange(1_500_000_000_000, 1_900_000_000_000)),
        lambda: f"ORD-{rng.randrange(10**8):08d}",
        lambda: f"order {rng.randrange(10**10):010d}",
        lambda: f"{rng.randrange(30)}.{rng.randrange(100)}.{rng.randrange(1000)}",
        lambda: f"2026-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}T{rng.randrange(24):02d}:00:00Z",
        lambda: f"{rng.uniform(-1e6, 1e6):,.2f}",
        lambda: f"0x{rng.getrandbits(64):016x}",
        lambda: f"#{rng.randrange(10**6)}",
    ]
    texts = [f"value {rng.choice(makers)()} was read" for _ in range(5_000)]
    assert sum(bool(detect(text, KINDS)) for text in texts) <= 5
