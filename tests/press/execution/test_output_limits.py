"""How much of what a cell shows is kept: exact limits, cuts between words and within no datum, a note of the rest."""

from __future__ import annotations

import pytest

from daybook.press.execution import output_limits
from daybook.press.execution.output_limits import ERROR, FRAMES, OUTPUTS, RICH, TEXT, Cap, cut, join


def shown(kind: str = "display_data", **data: object) -> dict:
    return {"msg_type": kind, "content": {"data": data}}


def printed(text: str, name: str = "stdout") -> dict:
    return {"msg_type": "stream", "content": {"name": name, "text": text}}


def output(text: str, name: str = "stdout") -> dict:
    return {"output_type": "stream", "name": name, "text": text}


def words(n: int) -> str:
    """n characters, each tenth a space."""
    return ("word-word " * (n // 10 + 1))[:n]


@pytest.mark.parametrize("kind", ["display_data", "execute_result", "update_display_data"])
def test_a_text_is_kept_whole_up_to_its_limit(kind):
    """At the limit as it is; one more, and it ends after a word with the number of what is left out."""
    exact = words(TEXT)
    assert cut(shown(kind, **{"text/plain": exact}))["content"]["data"] == {"text/plain": exact}
    kept = cut(shown(kind, **{"text/plain": exact + "x"}))["content"]["data"]["text/plain"]
    assert kept == exact + "… [1 more characters not kept]"
    split = words(TEXT - 3) + "sevenfold"
    kept = cut(shown(kind, **{"text/plain": split}))["content"]["data"]["text/plain"]
    assert kept == words(TEXT - 10) + "… [16 more characters not kept]"


def test_a_picture_or_table_is_kept_whole_or_not_at_all():
    """At its limit it stays; one character more, and its text says so, with or without a text of its own."""
    exact = "x" * RICH
    assert cut(shown(**{"text/html": exact}))["content"]["data"] == {"text/html": exact}
    note = f"[not kept: text/html of {RICH + 1:,} characters; at most {RICH:,} are]"
    assert cut(shown(**{"text/html": exact + "x"}))["content"]["data"] == {"text/plain": note}
    both = cut(shown(**{"text/plain": "rows", "text/html": exact + "x", "image/png": exact + "xy"}))["content"]["data"]
    assert both == {
        "text/plain": f"rows\n[not kept: text/html of {RICH + 1:,} characters,"
        f" image/png of {RICH + 2:,} characters; at most {RICH:,} are]"
    }
    data = {"rows": [1, 2]}
    assert cut(shown(**{"application/json": data}))["content"]["data"] == {"application/json": data}
    assert cut({"msg_type": "display_data", "content": {}})["content"]["data"] == {}


def test_an_error_keeps_its_message_and_both_ends_of_its_trace():
    """Up to the limits whole; beyond them the message ends between words, and the middle of the trace is left out."""

    def error(message: str, lines: list[str]) -> dict:
        return cut({"msg_type": "error", "content": {"evalue": message, "traceback": lines}})["content"]

    lines = [str(n) for n in range(FRAMES)]
    exact = error(words(ERROR), lines)
    assert (exact["evalue"], exact["traceback"]) == (words(ERROR), lines)
    long = error(words(ERROR) + "x", [*lines, "last"])
    assert long["evalue"] == words(ERROR) + "… [1 more characters not kept]"
    assert long["traceback"] == [*lines[:30], "…", *lines[31:], "last"]
    assert error("", [words(2 * ERROR)])["traceback"] == [words(2 * ERROR)]
    assert error("", [words(2 * ERROR) + "x"])["traceback"] == [words(2 * ERROR) + "… [1 more characters not kept]"]
    assert cut({"msg_type": "error", "content": {}})["content"] == {"evalue": "", "traceback": []}
    assert cut(printed("as it is"))["content"] == {"name": "stdout", "text": "as it is"}


@pytest.mark.parametrize(
    "datum",
    [
        "ada.lovelace@example.com",
        "4111 1111 1111 1111",
        "GB82 WEST 1234 5698 7654 32",
        "1 (555) 123-4567",
        "123-45-6789",
    ],
)
@pytest.mark.parametrize("inside", [1, 5, 9])
def test_no_cut_goes_through_a_datum(datum, inside):
    """Where the limit falls into one, the whole of it is left out: half of it would be known for none."""
    text = words(ERROR - inside - 5) + "and "
    text += " " * (ERROR - inside - len(text)) + datum + " " + words(ERROR)
    kept = cut({"msg_type": "error", "content": {"evalue": text, "traceback": []}})["content"]["evalue"]
    before, _, note = kept.partition("… [")
    assert before.rstrip() == text[: ERROR - inside].rstrip()
    assert note == f"{len(text) - len(before):,} more characters not kept]"


def test_a_text_without_a_word_in_reach_is_left_out():
    """One endless word may be one endless secret."""
    kept = cut({"msg_type": "error", "content": {"evalue": "x" * (ERROR + 1)}})["content"]["evalue"]
    assert kept == f"… [{ERROR + 1:,} more characters not kept]"


def test_printed_text_is_kept_up_to_the_limit_of_its_cell():
    """All outputs of the cell count; from the first that does not fit, nothing more is kept, and the note counts it."""
    cap = Cap()
    outs = [output(words(TEXT - 20)), {"output_type": "display_data", "data": {"text/plain": "not printed"}}]
    fits = printed(words(10))
    assert cap.admits(outs, fits)
    assert fits["content"]["text"] == words(10)
    assert cap.note() is None
    outs.append(output(words(10)))
    torn = printed("nine char and more of it")
    assert cap.admits(outs, torn)
    assert torn["content"]["text"] == "nine char "
    assert not cap.admits(outs, printed("x"))
    assert cap.characters == len("and more of it") + 1
    assert (
        cap.note() == f"\n[not kept: 15 characters of printed text; a cell keeps {TEXT:,} characters and 200 outputs]\n"
    )


def test_a_full_cell_keeps_not_one_character_more():
    """Where there is no room left, nothing is kept: no space either."""
    cap = Cap()
    assert not cap.admits([output(words(TEXT))], printed(" and"))
    assert cap.characters == 4


def test_outputs_are_kept_up_to_the_limit_of_their_cell():
    """The 200th is, the next is not; what goes on the last run of text is no new output, and an error always comes."""
    cap, out = Cap(), {"output_type": "display_data", "data": {}}
    assert cap.admits([out] * (OUTPUTS - 1), shown())
    full = [out] * (OUTPUTS - 1) + [output("a ")]
    assert not cap.admits(full, shown())
    assert cap.admits(full, printed("b "))
    assert not cap.admits(full, printed("b ", "stderr"))
    assert cap.admits(full, {"msg_type": "error", "content": {}})
    assert cap.note() == "\n[not kept: 2 outputs; a cell keeps 200,000 characters and 200 outputs]\n"
    cap.characters = 3
    assert "3 characters of printed text and 2 outputs;" in cap.note()


def test_two_runs_of_one_stream_are_one_output():
    """A secret cut in two is no secret found: the same stream goes on, another or a picture between begins anew."""
    outs = [output("sk-"), output("abc")]
    join(outs)
    assert outs == [output("sk-abc")]
    for apart in ([output("a"), output("b", "stderr")], [output("a"), shown_output(), output("b")], [output("a")], []):
        kept = [dict(output) for output in apart]
        join(apart)
        assert apart == kept


def shown_output() -> dict:
    return {"output_type": "display_data", "data": {}}


def test_the_limits_are_those_that_pages_of_a_megabyte_need():
    """What a reader is told: 200,000 characters, 200 outputs, 8,000,000 characters of a picture."""
    assert (output_limits.TEXT, output_limits.OUTPUTS, output_limits.RICH) == (200_000, 200, 8_000_000)
