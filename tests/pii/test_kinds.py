"""Each further kind in the ways that it is written, and what fails its check."""

from __future__ import annotations

import unicodedata

import pytest

from daybook.pii import KINDS, SHAPES, Detector, detect


def parts(text: str) -> list[tuple[str, str]]:
    return [(span.kind, text[span.start : span.end]) for span in detect(text, KINDS)]


@pytest.mark.parametrize(
    ("text", "kind", "datum"),
    [
        ("see https://example.org/a?b=1#c.", "url", "https://example.org/a?b=1#c"),
        ("at www.example.org, please", "url", "www.example.org"),
        ("mac 00:1B:44:11:3A:B7", "mac", "00:1B:44:11:3A:B7"),
        ("00-1b-44-11-3a-b7 joined", "mac", "00-1b-44-11-3a-b7"),
        ("port 001b.4411.3ab7", "mac", "001b.4411.3ab7"),
        ("to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "crypto", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "crypto", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("to 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "crypto", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
        ("to 0xde709f2102306220921060314715629080e2fb77", "crypto", "0xde709f2102306220921060314715629080e2fb77"),
        ("ITIN 912-70-1234", "itin", "912-70-1234"),
        ("my ssn is 536221234", "ssn", "536221234"),
        ("Social Security No.: 536 22 1234", "ssn", "536 22 1234"),
        ("Passport number: X1234567", "passport", "X1234567"),
        ("his passport is C01X00T47.", "passport", "C01X00T47"),
        ("passport 536221234", "passport", "536221234"),
        ("driver's license number is F162823540116", "driver_licence", "F162823540116"),
        ("Driving licence no. MORGA657054SM9IJ", "driver_licence", "MORGA657054SM9IJ"),
        ("CPF 111.444.777-35", "national_id", "111.444.777-35"),
        ("AHV 756.9217.0769.85", "national_id", "756.9217.0769.85"),
        ("RUT 12.531.909-2", "national_id", "12.531.909-2"),
        ("born, HETU 131052-308T", "national_id", "131052-308T"),
        ("DNI 54362315K", "national_id", "54362315K"),
        ("NIE X2482300W", "national_id", "X2482300W"),
        ("CF RSSMRA85T10A562S", "national_id", "RSSMRA85T10A562S"),
        ("NIR 2 95 10 99 126 111 93", "national_id", "2 95 10 99 126 111 93"),
        ("NRIC S1234567D", "national_id", "S1234567D"),
        ("HKID A123456(3)", "national_id", "A123456(3)"),
        ("National Insurance: AB 12 34 56 C", "national_id", "AB 12 34 56 C"),
        ("NHS number 943 476 5919", "national_id", "943 476 5919"),
        ("SIN 130 692 544", "national_id", "130 692 544"),
        ("PESEL: 44051401359", "national_id", "44051401359"),
        ("BSN 111222333", "national_id", "111222333"),
        ("Aadhaar 2341 2341 2346", "national_id", "2341 2341 2346"),
        ("PAN ACUPA7085R", "tax_id", "ACUPA7085R"),
        ("VAT DE136695976", "tax_id", "DE136695976"),
        ("CNPJ 16.727.230/0001-97", "tax_id", "16.727.230/0001-97"),
        ("Steuer-ID 36 574 261 809", "tax_id", "36 574 261 809"),
        ("EIN: 91-1144442", "tax_id", "91-1144442"),
        ("phone: 28-64-66-98", "phone", "28-64-66-98"),
        ("Tel. 723 813 266", "phone", "723 813 266"),
        ("call me at 0494 92 82 32", "phone", "0494 92 82 32"),
        ("We reached her on 5550142 once.", "phone", "5550142"),
        ("they texted them at 1234567", "phone", "1234567"),
        ("0687 12 34 56", "phone", "0687 12 34 56"),
        ("zip code is 90210", "postcode", "90210"),
        ("PLZ: 10115", "postcode", "10115"),
        ("at SW1A 1AA", "postcode", "SW1A 1AA"),
        ("at K1A 0B1", "postcode", "K1A 0B1"),
        ("in Portland, OR 97201", "postcode", "97201"),
        ("born on 10/23/1951.", "birth_date", "10/23/1951"),
        ("DOB: 1984-03-12", "birth_date", "1984-03-12"),
        ("date of birth 12 March 1984", "birth_date", "12 March 1984"),
        ("geboren am 12.03.1984", "birth_date", "12.03.1984"),
        ("he is 78 years old", "age", "78"),
        ("a 35-year-old male", "age", "35"),
        ("I just turned 47", "age", "47"),
        ("Mr. Smith", "title", "Mr."),
        ("Frau Müller", "title", "Frau"),
        ("at 12 Main Street, Springfield, IL 62704", "address", "12 Main Street, Springfield, IL 62704"),
        ("at 221B Baker Street", "address", "221B Baker Street"),
        ("at 12 rue de la Paix, 75002 Paris", "address", "12 rue de la Paix, 75002 Paris"),
        ("in Hauptstraße 5, 10115 Berlin", "address", "Hauptstraße 5, 10115 Berlin"),
        ("in Vesterskovvej 79", "address", "Vesterskovvej 79"),
        ("at Calle Mayor 5", "address", "Calle Mayor 5"),
        ("P.O. Box 1234", "address", "P.O. Box 1234"),
        ("PSC 3294, Box 5797\nAPO AP 96854", "address", "PSC 3294, Box 5797\nAPO AP 96854"),
        ("USNS Comfort\nFPO AP 93757", "address", "USNS Comfort\nFPO AP 93757"),
        ("USCGC Šípek, DPO AE 90744", "address", "USCGC Šípek, DPO AE 90744"),
        (
            "at the corner of Fifth Avenue and 42nd Street, where",
            "address",
            "the corner of Fifth Avenue and 42nd Street",
        ),
        ("the intersection of Rue de Rivoli & Elm", "address", "the intersection of Rue de Rivoli & Elm"),
        ("the corner of Main 5 and Elm Pass. We", "address", "the corner of Main 5 and Elm Pass"),
        ("password: hunter2-Zx", "secret", "hunter2-Zx"),
        ('{"api_key": "9f8a7b6c5d4e"}', "secret", "9f8a7b6c5d4e"),
        ("Authorization: Bearer abcdef0123456789.zyx", "secret", "abcdef0123456789.zyx"),
        ("postgresql://me:pass-w0rd@host/db", "secret", "pass-w0rd"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "secret", None),
        ("github_pat_" + "a1B2" * 8, "secret", "github_pat_" + "a1B2" * 8),
        ("card 584528792610", "card", "584528792610"),
        ("amount for cc 3522235032377454", "card", "3522235032377454"),
    ],
)
def test_a_kind_is_found_whole(text, kind, datum):
    """As people write it: the datum, all of it, and nothing else."""
    assert parts(text) == [(kind, datum or text)]


@pytest.mark.parametrize(
    "text",
    [
        "to 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",  # Base58 check
        "to bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",  # Bech32 check
        "to 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",  # EIP-55 case
        "ssn 000221234", "ssn 666-22-1234", "itin 912-10-1234", "078-05-1120",
        "111.444.777-36", "756.9217.0769.84", "12.531.909-3", "131052-308U", "54362315L", "X2482300X",
        "RSSMRA85T10A562T", "S1234567E", "A123456(4)", "National Insurance: BG 12 34 56 C",
        "NHS number 943 476 5918",
        "SIN 130 692 545", "PESEL: 44051401358", "BSN 111222334", "Aadhaar 2341 2341 2347", "VAT: DE 5",
        "EIN: 07-1144442",
        "584528792610", "order 4111111111111111", "phone 1111111", "passport number", "call 911", "zip 12", "age: 4711",
        "1.2.3.4-beta", "version 10.20.30.40", "Chrome/120.0.0.0", "0.1.2.3", "ff:ff:ff:ff:ff:ff",
        "password = os.environ['X1']", "token: <your-token-1>", "password is required", "mysql://u:$PASSWORD1@host/db",
        "999-00-1234",
    ],
)  # fmt: skip
def test_what_fails_its_check_is_none(text):
    """A check digit, a letter, an issuer or a word that does not agree."""
    assert parts(text) == []


@pytest.mark.parametrize("word", ["call", "Text", "cell", "ring", "Reach"])
def test_a_word_that_means_much_else_labels_what_is_written_as_a_phone(word):
    """Only before a number of a phone's groups or length, and only as a word of a sentence."""
    for number in ("5551234567", "0494 92 82 32", "723 813 266", "555-1234", "+49 30 901820", "72.381.32.66"):
        for between in (" ", ": ", " me at ", " us on:\n"):
            assert ("phone", number) in parts(f"{word}{between}{number}"), (between, number)
    assert word == "cell" or parts(f"{word} me on 9472 7916") == [("phone", "9472 7916")]
    for number in ("12345678", "1200 1400 1600", "3.14159265", "1234 5678", "123456789012", "1000000000"):
        assert parts(f"{word} {number}") == [], number
    for before in (
        f"{word}s ",
        f'"{word}": "',
        f"{word}_id: ",
        f"tool_{word}: ",
        f"{word}book ",
        f"{word}=",
        f"x.{word}: ",
    ):
        assert parts(f"{before}5551234567") == [], before


def test_a_label_reaches_over_small_words_and_no_further():
    """Words such as `number is` may stand between; a sentence, a bracket or another noun may not."""
    for between in (" ", ": ", " number ", " no. ", " number is ", ' number":"', " = ", " #", "\n", " (", " is: "):
        assert parts(f"passport{between}X1234567")[-1][0] == "passport", between
    for between in (". The ", " of the colour ", " [see] ", "; ", "\n\n\n\n"):
        assert parts(f"passport{between}X1234567") == [], between


@pytest.mark.parametrize(
    ("text", "datum"),
    [
        ("card ４１１１ １１１１ １１１１ １１１１", "４１１１ １１１１ １１１１ １１１１"),  # fullwidth
        ("card 4111\u200b1111\u200b1111\u200b1111 x", "4111\u200b1111\u200b1111\u200b1111"),  # zero width
        ("card \u202e4111111111111111\u202c x", "4111111111111111"),  # bidi marks around
        ("card 4111\u20661111\u206911111111", "4111\u20661111\u206911111111"),  # bidi marks within
        ("card 4111\u00a01111\u20091111\u202f1111", "4111\u00a01111\u20091111\u202f1111"),  # spaces of other widths
        ("card 4111‑1111–1111−1111", "4111‑1111–1111−1111"),  # hyphens of other lengths
        ("card ٤١١١١١١١١١١١١١١١", "٤١١١١١١١١١١١١١١١"),  # Arabic-Indic digits
        ("card 𝟜𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙", "𝟜𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙𝟙"),  # mathematical digits
        ("to аda@exаmple.com now", "аda@exаmple.com"),  # Cyrillic а
        ("to ada@exam\u00adple.com now", "ada@exam\u00adple.com"),  # soft hyphen
        ("to ada＠example．com now", "ada＠example．com"),  # fullwidth signs
        (
            "card " + "".join(f"{d}\ufe0f\u20e3" for d in "4111111111111111") + " x",
            "".join(f"{d}\ufe0f\u20e3" for d in "4111111111111111")[:-2],
        ),  # keycaps
        (
            "card 4\u20e3111 1\u0336111 1111 111\u03051\u0305\u0301 x",
            "4\u20e3111 1\u0336111 1111 111\u03051",
        ),  # struck out
        ("é card ４\u20dd111 1111 1111 1111", "４\u20dd111 1111 1111 1111"),
        ("ＤＥ８９ 3704 0044 0532 0130 00", "ＤＥ８９ 3704 0044 0532 0130 00"),
    ],
)
def test_characters_that_hide_a_datum_are_seen_through(text, datum):
    """Look-alikes and characters that show nothing, around or within: found, in positions of the text as it came."""
    assert [part for _, part in parts(text)] == [datum]


def test_the_stronger_of_two_that_overlap_stays():
    """By check before shape, then the longer, then the first; what is not overlapped stays beside it."""
    assert parts("mail 5551234567@example.com or 555-123-4567") == [
        ("email", "5551234567@example.com"), ("phone", "555-123-4567"),
    ]  # fmt: skip
    assert parts("https://example.org/?to=ada@example.com") == [("url", "https://example.org/?to=ada@example.com")]
    assert [kind for kind, _ in parts("DE89 3704 0044 0532 0130 00")] == ["iban"]


def test_what_is_called_an_orders_number_is_no_phone_and_no_card():
    """The word right before it says so; further off, or with brackets, it says nothing."""
    for number in ("555-123-4567", "4111111111111111"):
        for before in ("order ", "Order no. ", "order number is ", "ticket: ", "order #"):
            assert parts(f"{before}{number}") == [], before
        for before in ("the customer of this order called us: ", "order. ", "We had an order from you at "):
            assert len(parts(f"{before}{number}")) == 1, before
    assert parts("order (555) 123-4567") == [("phone", "(555) 123-4567")]
    assert parts("The customer wrote: 1 (555) 123-4567") == [("phone", "1 (555) 123-4567")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("A", "B"), ("Set A", "Set B"), ("Table A", "Table B"), ("Law", "Technology"), ("AI", "Healthcare"),
        ("Art", "Science in Berlin"), ("Ethics", "Streetwear"), ("Kunst", "Wegwerfen"), ("Sets", "Parkour"),
    ],
)  # fmt: skip
def test_a_corner_is_of_streets(first, second):
    """Of what is no street's name there is none; one that is, in either place, is enough."""
    detector = Detector(("address",))
    for what in ("corner", "intersection"):
        assert detector.spans(f"the {what} of {first} and {second}") == []
        for street in ("Elm Street", "5th", "Main 5", "Rue Monge", "Hauptstraße", "Elm Ave"):
            for text in (f"the {what} of {street} and {second}", f"the {what} of {first} & {street}"):
                assert [span.kind for span in detector.spans(text)] == ["address"], text


def test_terms_are_found_whole_and_whatever_their_case():
    """A project's own words: the longest, on word borders only."""
    detector = Detector((), terms=["Heron", "Project Heron", "C++ team", "ß-unit"])
    text = "project HERON, a heron; herons, the c++ team and the ß-unit."
    assert [text[s.start : s.end] for s in detector.spans(text)] == ["project HERON", "heron", "c++ team", "ß-unit"]
    assert {s.kind for s in detector.spans(text)} == {"term"}


@pytest.mark.parametrize(
    "term",
    [
        "Проект Орёл",
        "ПРОЕКТ",
        "Ελλάδα",
        "プロジェクト１",
        "Rhein–Ruhr",
        "Ｆｕｌｌ",
        "Große Höhe",
        "soft\u00adware",
        "НАТО",
        "Νόκια",
    ],
)
def test_a_term_is_found_in_its_own_text(term):
    """As it is given, in small letters and large, with marks as one character or two; in positions of the text."""
    detector = Detector((), terms=[term, ""])
    for written in (term, term.lower(), term.upper(), unicodedata.normalize("NFD", term)):
        text = f"é: {written}, {written}x"
        assert [text[s.start : s.end] for s in detector.spans(text)] == [written]
    assert detector.longest_term >= len(term) - 1
    assert Detector((), terms=["", " "]).kinds == set()


@pytest.mark.parametrize("label", ["егн", "ЕГН", "Егн", "EGN"])
def test_a_label_of_another_script_is_read(label):
    """In small letters and large."""
    assert parts(f"{label}: 7523169263") == [("national_id", "7523169263")]
    assert parts(f"{label}: 7523169264") == []


SEPARATORS = ("/", "_", "  ", "\n", "\r\n", " - ", "-", " ", ".")


@pytest.mark.parametrize("between", SEPARATORS)
def test_a_card_is_found_however_its_groups_are_parted(between):
    """Four by four, or four, six and five; with a check digit that agrees only."""
    for groups in (("4111", "1111", "1111", "1111"), ("3782", "822463", "10005")):
        number = between.join(groups)
        assert parts(f"card: {number}.") == [("card", number)]
        assert parts(f"see: {number[:-1]}4.") == []
    assert parts("wrapped: 4111 1111\n1111 1111") == [("card", "4111 1111\n1111 1111")]


@pytest.mark.parametrize("between", ["  ", "\n"])
def test_the_columns_of_a_table_are_no_card(between):
    """More numbers before or behind them in the same way."""
    row = between.join(("4111", "1111", "1111", "1111"))
    assert parts(f"17{between}{row}") == parts(f"{row}{between}17") == []


@pytest.mark.parametrize("number", ["0171/1234567", "030/901820", "030 / 901820", "0221/47 10 815", "089/2180-0123"])
def test_a_phone_may_have_a_stroke_behind_its_area(number):
    """As Germans and Austrians write it."""
    assert parts(f"unter {number}, bitte") == [("phone", number)]


@pytest.mark.parametrize("text", ["00/1234567", "012/34", "0171/123456789012", "1/0171/1234567", "0000/123456"])
def test_a_stroke_alone_makes_no_phone(text):
    """The plan knows no such number, or there is more of it."""
    assert parts(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "255.255.255.0", "255.255.255.255", "8.8.8.8", "1.1.1.1",
        "http://127.0.0.1:8000/v1", "http://localhost:8000/v1", "http://0.0.0.0",
    ],
)  # fmt: skip
def test_an_address_that_every_machine_has_is_nobodys(text):
    """Below the threshold, to be had by a lower one; the whole URL stays."""
    assert parts(f"at {text} now") == []
    assert {s.score for s in Detector(KINDS, threshold=0.3).spans(f"at {text} now")} == {0.3}


def test_an_address_of_an_inner_network_is_less_sure():
    """Private and documented ranges; a URL that only begins like the machine's own, or has a user, is somebody's."""
    for address, score in (("10.0.0.7", 0.6), ("192.168.10.4", 0.6), ("192.0.2.1", 0.6), ("93.184.216.34", 0.95)):
        assert [(s.kind, s.score) for s in detect(f"from {address}.")] == [("ip", score)]
    for url in ("http://127.0.0.1.example.org/x", "http://localhost.example.org", "http://localhost@example.org"):
        assert parts(url)[0][0] == "url"


def test_what_stands_behind_bearer_is_a_secret_over_three_bits_a_character():
    """At three bits, eight signs that are all as frequent, it is none; with one sign more it is."""
    assert parts("Authorization: Bearer abcdef12abcdef12") == []
    assert parts("Authorization: Bearer abcdef12abcdef13") == [("secret", "abcdef12abcdef13")]


def test_a_folder_and_an_invoice_are_no_secret_and_no_tax_number():
    """`pwd` is a shell's folder too; a year before a hyphen numbers invoices."""
    for text in (
        "pwd=/home/user1/x",
        "PWD: ~/work/a1b2c3",
        "pwd=C:\\Users\\Ada1",
        "VAT 2024-123456",
        "VAT no. 1999 123456",
    ):
        assert parts(text) == [], text
    assert parts("pwd=hunter2-Zx") == [("secret", "hunter2-Zx")]
    assert parts("password=/hunter2-Zx") == [("secret", "/hunter2-Zx")]
    assert parts("VAT 20241-23456") == [("tax_id", "20241-23456")]


def test_a_score_says_how_sure_it_is():
    """A check digit: 1. A shape: less. What is below the threshold is left out unless a lower one is asked for."""
    scores = {span.kind: span.score for span in detect("4111 1111 1111 1111, (555) 123-4567, since 1/23/1984", KINDS)}
    assert scores == {"card": 1.0, "phone": 0.6, "date": 0.4}
    assert [s.kind for s in Detector(KINDS, threshold=0.3).spans("The date is 1/23/1984")] == ["date"]
    assert Detector(KINDS).spans("The date is 1/23/1984") == []
    assert Detector(["phone"], threshold=0.61).spans("(555) 123-4567") == []


def test_only_the_kinds_that_are_asked_for_are_found():
    """The others are not even candidates: they take nothing away from what is."""
    text = "https://example.org/?to=ada@example.com"
    assert [s.kind for s in detect(text)] == ["email"]
    assert [s.kind for s in detect(text, ("url",))] == ["url"]
    assert detect(text, ("phone",)) == []


def test_every_kind_has_a_recognizer_and_is_listed():
    """The list is written out, because what finds the kinds is loaded late."""
    gates = Detector(KINDS)._gates
    assert {kind for patterns in gates.values() for pattern in patterns for kind in pattern.kinds} == set(KINDS)
    assert len(set(KINDS)) == len(KINDS)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("key sk-proj-0123456789abcdef", 0.95),
        ("key sk-abcdefghijklmnopqrstuvwx", 0.95),
        ("key sk-aaaaaaaaaaaaaaaaaaaaaaaa", None),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", 1.0),
        ("Authorization: Bearer abcdef0123456789.zyx", 0.9),
        ("Authorization: Bearer aaaaaaaaaaaaaaa1", None),
        ("postgresql://me:pass-w0rd@host/db", 0.9),
        ("postgresql://me:${PASSWORD}@host/db", None),
        ("password: hunter2-Zx", 0.8),
        ("password: a1b2c3d4e5f6", 0.8),
        ("password: a1b2c3d4e5f", None),
        ("password: aaaaaaaa1111", None),
    ],
)
def test_a_secret_is_as_sure_as_what_tells_it(text, score):
    """A maker's prefix, a whole key, a header, an address and a name, from sure to less sure; what repeats itself or
    stands for a value is none."""
    scores = [span.score for span in detect(text, KINDS) if span.kind == "secret"]
    assert scores == ([] if score is None else [score])


def test_what_a_name_alone_tells_is_not_among_what_is_always_hidden():
    """The value behind `password:` is found where all kinds are asked for; the kinds told by shape leave it."""
    assert detect("password: hunter2-Zx") == detect("password: hunter2-Zx", SHAPES) == []
    assert [span.kind for span in detect("password: hunter2-Zx", (*SHAPES, "mac"))] == ["secret"]
