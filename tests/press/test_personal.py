"""Rows that a notebook shows lose their personal data before a page is written, whatever shows them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PERSONAL = ["ada@example.com", "4111 1111 1111 1111", "GB82 WEST 1234 5698 7654 32", "1 (555) 123-4567"]
ROW = "Write to ada@example.com, 4111 1111 1111 1111, GB82 WEST 1234 5698 7654 32 or call 1 (555) 123-4567"
MASKED = "Write to [email], [card], [iban] or call [phone]"

SHOWN = {
    "a table": f"import pandas as pd\npd.DataFrame({{'input': {PERSONAL}}})",
    "a styled table": (
        "import pandas as pd\nfrom daybook.reporting.tables import Column, present\n"
        f"present(pd.DataFrame({{'input': ['{ROW}']}}), 't', 'Rows', [Column('input', 'row')])"
    ),
    "printed text": f"print('{ROW}')",
    "a warning": f"import sys\nsys.stderr.write('{ROW}')",
    "markdown": f"from IPython.display import Markdown\nMarkdown('{ROW}')",
    "a value": f"{{'answer': ['{ROW}']}}",
    "an update": f"from IPython.display import display\nh = display('x', display_id=True)\nh.update('{ROW}')",
    "data": f"from IPython.display import JSON\nJSON({{'answer': ['{ROW}']}})",
}
FILLER = "The customer wrote to us again this week: "
LONG = [FILLER + datum + " and so on" for datum in PERSONAL]
CUT = {
    "a frame": f"import pandas as pd\nframe = pd.DataFrame({{'text': {LONG}}})\nframe",
    "a printed frame": "print(frame)",
    "a column": "frame['text']",
    "a frame's index": "frame.set_index('text').assign(n=1)",
    "a row": "frame.loc[0]",
    "HTML of a frame": "from IPython.display import HTML\nHTML(frame.to_html())",
    "a table of a table": "pd.DataFrame({'rows': [[text] for text in frame['text']]})",
}
"""Ways to show a text of which pandas shows the first 50 characters: half a datum."""
SUBJECTS = {
    "bias, answers": (
        "from daybook.bias.audit import Bias\n"
        f"bias = Bias(model='m', ask_all=lambda bodies: ['{ROW}' for _ in bodies], likelihoods=None)\n"
        "bias.counterfactual(axes=['gender'], templates=5, outcomes=False)"
    ),
    "bias, pairs": (
        "from pathlib import Path\nfrom types import SimpleNamespace\nfrom daybook.bias.audit import Bias\n"
        "_ = Path('pairs.csv').write_text('sent_more,sent_less\\n' + "
        f"''.join(f'\"{{n}}. {ROW}\",\"{{n}}. {ROW}\"\\n' for n in range(3)))\n"
        "score = lambda texts: [SimpleNamespace(total=-float(n), tokens=5) for n, _ in enumerate(texts)]\n"
        "Bias(model='m', ask_all=None, likelihoods=lambda _: score).pairs('pairs.csv').table('pairs')"
    ),
    "evaluation, disagreements": (
        "import json\nfrom pathlib import Path\nfrom daybook.evaluation.predictions import score\n"
        f"rows = [{{'id': n, 'input': '{ROW} ' + str(n), 'reference': '4', 'prediction': '{ROW}'}} for n in range(9)]\n"
        "_ = Path('a.jsonl').write_text(''.join(json.dumps(row) + '\\n' for row in rows))\n"
        "_ = Path('b.jsonl').write_text(''.join(json.dumps(row | {'prediction': '4'}) + '\\n' for row in rows))\n"
        "score([Path('a.jsonl'), Path('b.jsonl')], scorer='exact').evaluation.table('disagreements')"
    ),
    "approach, disagreements": (
        "from decimal import Decimal\nfrom IPython.display import display\n"
        "from daybook.approach.report import Approach\n"
        "from daybook.datasets import DataSet, Row\nfrom daybook.evaluation.figures import Item\n"
        "from daybook.evaluation.report import Evaluation\n"
        "from daybook.inference.client.answer_cache import CachedAnswer\nfrom daybook.scoring import Score\n"
        f"rows = tuple(Row(str(n), '{ROW} ' + str(n), 'x') for n in range(9))\n"
        f"answer = CachedAnswer(text='{ROW}', cost=Decimal('0.1'), latency=0.1)\n"
        "items = {name: [Item(row, answer, Score(value, None)) for row in rows]"
        " for name, value in (('zero_shot', 0.0), ('few_shot', 1.0))}\n"
        "evaluation = Evaluation(DataSet('d', 'd', rows), 'classification', 'label', items)\n"
        "tried = Approach(evaluation, {}, frozenset(), Decimal('0.1'), 9, ())\n"
        "display(tried, tried.table('disagreements'), tried.table('errors'))"
    ),
    "finetune, gates": (
        "import json\nfrom pathlib import Path\nimport daybook\nfrom IPython.display import Markdown, display\n"
        f"data = {PERSONAL}\n"
        f"rows = [{{'text': '{ROW} ' + str(n), 'label': data[n % 4] + ' was it'}} for n in range(80)]\n"
        "rows += [{'text': datum, 'label': datum} for datum in data]\n"
        "_ = Path('rows.jsonl').write_text(''.join(json.dumps(row) + '\\n' for row in rows))\n"
        "tuning = daybook.open().finetuning('rows.jsonl', name='t', recipe={'method': 'head'}, licence='own',"
        " policies={'personal_data': 'warn', 'licence': 'warn', 'duplicates': 'warn', 'enough': 'warn'})\n"
        "display(tuning, Markdown(tuning.gates_prose), tuning.table('gates'))\n"
        "for row in rows[-4:]: print(row)"
    ),
    "traffic, calls": (
        "import daybook\nbook = daybook.open()\n"
        f"book.sql('select :a as prompt, :b as answer, :c as label, :d as note, count(*) as n from calls', "
        f"a='{PERSONAL[0]}', b='{PERSONAL[1]}', c='{PERSONAL[2]}', d='{PERSONAL[3]}')"
    ),
}


@pytest.fixture
def published(notebook, run, book):
    """Everything that a run with these cells leaves among the reports, and the index."""

    def publish(*code: str) -> dict[str, str]:
        notebook("costs", *code)
        report = run("costs")
        texts = {path.suffix: path.read_text() for path in (report.notebook, report.html, report.sidecar)}
        return texts | {"index": (report.notebook.parents[2] / "index.html").read_text()}

    return publish


def of_cell(published: dict[str, str]) -> str:
    """The outputs of the last cell, as the notebook's file has them."""
    return json.dumps(json.loads(published[".ipynb"])["cells"][-1]["outputs"])


def test_no_way_to_show_a_row_goes_around(published):
    """Tables, printed text, Markdown, values, updates, data: each output has the kinds, and no file has a datum."""
    found = published(*SHOWN.values())
    cells = json.loads(found[".ipynb"])["cells"][-len(SHOWN) :]
    for name, cell in zip(SHOWN, cells, strict=True):
        outputs = json.dumps(cell["outputs"])
        assert not [datum for datum in PERSONAL if datum in outputs], name
        assert "[email]" in outputs, name
        assert "[phone]" in outputs, name
    assert found[".html"].count(MASKED) >= len(SHOWN) - 2


def test_no_datum_is_cut_before_it_is_looked_for(published):
    """pandas shows 50 characters of a text; what is masked was whole, in every form, and no half is left over."""
    published_texts = published(*CUT.values())
    cells = json.loads(published_texts[".ipynb"])["cells"][-len(CUT) :]
    for name, cell in zip(CUT, cells, strict=True):
        outputs = json.dumps(cell["outputs"])
        kinds = ("email",) if name == "a row" else ("email", "card", "iban", "phone")
        assert [kind for kind in kinds if f"[{kind}] and so on" not in outputs] == [], name
        assert not [half for half in ("ada@", "4111", "GB82", "(555)") if half in outputs], name


def test_an_errors_message_loses_its_row(notebook, run, settings, book):
    """In the traceback, in the run's error, in the book, in the sidecar and in the index."""
    from daybook.errors import RunFailed

    notebook("costs", f"row = ''.join({list(ROW)!r})", "raise ValueError(row)")
    with pytest.raises(RunFailed) as failed:
        run("costs")
    folder = Path(failed.value.notebook).parent
    texts = [path.read_text() for path in (*folder.iterdir(), folder.parents[1] / "index.html")]
    assert len(texts) == 4
    for text in [*texts, str(failed.value), str(book.rows("select error from runs"))]:
        assert not [datum for datum in PERSONAL if datum in text]
    assert MASKED in str(failed.value)


def test_findings_lose_their_rows(published):
    """A finding's name and note are shown in the page, the index and the sidecar."""
    found = published(
        "import daybook\nbook = daybook.open()\nfrom daybook.reporting.findings import finding",
        "mail = '@'.join(['ada', 'example.com'])\n_ = book.enter([finding(mail, 1, 'rows', note='from ' + mail)])",
    )
    for name in (".html", ".json", "index"):
        assert "ada@example.com" not in found[name], name
    assert json.loads(found[".json"])["findings"][0]["name"] == "[email]"
    assert json.loads(found[".json"])["findings"][0]["note"] == "from [email]"


def test_a_picture_is_left_as_it_was(published):
    """The bytes of a chart are not text, though digits may look like a card's."""
    found = published(
        "from IPython.display import Image\nImage(data=b'\\x89PNG 4111111111111111 ada@example.com', format='png')"
    )
    (output,) = json.loads(found[".ipynb"])["cells"][-1]["outputs"]
    assert output["data"]["image/png"].strip() == "iVBORyA0MTExMTExMTExMTExMTExIGFkYUBleGFtcGxlLmNvbQ=="


@pytest.mark.parametrize("code", SUBJECTS.values(), ids=SUBJECTS)
def test_the_rows_that_a_subject_shows_lose_their_personal_data(code, published):
    """The tables in which rows, prompts and answers are shown, with such rows in them."""
    outputs = of_cell(published(code))
    for kind in ("email", "card", "iban", "phone"):
        assert f"[{kind}]" in outputs
    assert not [datum for datum in PERSONAL if datum in outputs]
