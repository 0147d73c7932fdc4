"""A prompt made shorter: nothing that means something is touched, whatever it looks like."""

from __future__ import annotations

import random
import re

import pytest

from daybook.costs.prompt import shorten


@pytest.mark.parametrize(
    ("prompt", "shorter", "changes"),
    [
        ("Please summarise this text.", "Summarise this text.", {"polite words": 1}),
        ("please kindly translate it now", "translate it now", {"polite words": 1}),
        ("Kindly answer in French.", "Answer in French.", {"polite words": 1}),
        ("Please do not shout at me.", "Do not shout at me.", {"polite words": 1}),
        ("One is.  So two!   As three?  But four,  and five;  or six.",
         "One is. So two! As three? But four, and five; or six.", {"doubled spaces": 5}),
        ("Read this text.   \nAnd that one. ", "Read this text.\nAnd that one.", {"spaces at line ends": 2}),
        ("The first part.\n\n\n\nThe second part.", "The first part.\n\nThe second part.", {"blank lines": 2}),
        ("The first part.\r\n\r\n\r\nThe second. \r\nx", "The first part.\r\n\r\nThe second.\r\nx",
         {"blank lines": 1, "spaces at line ends": 1}),
    ],
)  # fmt: skip
def test_what_nobody_reads_is_taken_out_and_counted(prompt, shorter, changes):
    """Politeness before the first order, spaces, blank lines; what was taken out is said."""
    result = shorten(prompt)
    assert (result.prompt, result.changes) == (shorter, changes)


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "\n\n\n",
        "He is displeased, she is pleased, they please.",  # a part of a word is not a word
        "Please customers with a gift.",  # a verb of its own
        "Please send me the invoice.",  # may be what is to be translated
        "Translate to German.\nPlease translate this.",  # no first order
        "Kindly people help.",
        'Say "no.  Never",  not "yes".',
        "Say “no.  Never”  now.",
        "She said:  'well.  Then'.",
        "def f(x):\n    return x  # two.  spaces\n\n\n\n    # end",
        "```\nThe end.  Here \n\n\n\nIt goes on.\n```",
        "~~~~\nThe end.  Here \n```\nIt goes.  On.\n~~~~",
        "```python\nThis fence.  Stays open. \n\n\n\nThe end.",
        "Use `a.  b` and  c.",
        "print(x);  print(y)",
        "x = 1;  y = 2",
        "SELECT a,  b FROM t",
        "import os,  sys",
        "Name   Age   City\nAnn   5   Rome",
        "| a.  b | c |",
        "- item.  one",
        "3.  Third step.  Then stop",
        "camelCase.  Then more",
        "snake_case.  Then more",
        "\tIndented.  Prose",
        "a  b  c",
        "Line one  \n    code",
        "if x:\n\n\n\n    y",
    ],
)
def test_code_quotations_tables_and_meaning_stay_to_the_byte(prompt):
    """Every one unchanged, and nothing is said to have been taken out; a line's last spaces are no code's either."""
    result = shorten(prompt)
    assert result.prompt == (prompt if not prompt.startswith("Line one") else "Line one\n    code")


@pytest.mark.parametrize("seed", range(200))
def test_words_numbers_and_signs_are_all_kept(seed):
    """Whatever is put together: without spaces and the first polite words, both are the same; again changes nothing."""
    rng = random.Random(seed)
    parts = ["Please ", "kindly ", "summarise", "not", "3.14", '"a  b"', "```", "\n", "\n\n\n", "  ", ".", ". ", "x=1",
             "'", "never", "\t", "    ", "don't", "displeased", " ", "`", "naïve", "東京", "\r\n", "| "]  # fmt: skip
    prompt = "".join(rng.choice(parts) for _ in range(40))
    shorter = shorten(prompt).prompt
    strip = re.compile(r"\s+")
    before, after = strip.sub("", prompt), strip.sub("", shorter)
    assert before.lower().endswith(after.lower())
    assert before[: len(before) - len(after)].lower() in ("", "please", "kindly", "pleasekindly", "kindlyplease")
    assert len(shorter) <= len(prompt)
    assert re.findall(r'"[^"\n]*"', shorter) == re.findall(r'"[^"\n]*"', prompt)


@pytest.mark.parametrize(
    "prompt", ["Please please explain.", "Read.  It.   \n\n\n\n\nThe end. ", "kindly please list a b"]
)
def test_again_changes_nothing(prompt):
    """What is short stays as it is."""
    once = shorten(prompt).prompt
    assert shorten(once).prompt == once
    assert shorten(once).changes == {}


def test_a_quotation_over_several_lines_stays_and_what_follows_it_does_not():
    """Within the marks every space is kept; after an even number of them the next line is prose again."""
    quoted = 'She wrote "it is late.\nCome soon.  Or never. \n\n\n\nThat is all." to me.'
    assert shorten(quoted).prompt == quoted
    after = shorten(f'{quoted}\nThat "was" it.  Twice.\nNow it ends.  Really.')
    assert after.prompt == f'{quoted}\nThat "was" it.  Twice.\nNow it ends. Really.'
