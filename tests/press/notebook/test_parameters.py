"""What a notebook may be told: read from its cell without running it, and checked before anything starts."""

from datetime import date

import pytest

from daybook.errors import BadDate, BadParameter
from daybook.press.notebook import notebooks
from daybook.press.notebook.parameters import Parameter, declared, effective, fits, read, to_date

DAY = date(2026, 11, 20)


@pytest.fixture
def costs(notebook):
    """Writes the notebook `costs` with this parameters cell, and reads it as the press does."""

    def load(source: str | None):
        return notebooks.parse(notebook("costs", "days", parameters=source).read_text())

    return load


def test_a_cell_is_read_and_never_run():
    """Names, types, defaults and comments come in the order written; docstrings and empty lines are none."""
    source = '''
"""What this run is about."""
logical_date: str = "2026-11-20"  # the last day

days: int = -7
models: list[str] = ["a", "b"]  # which; "a # b" is one
note = None  # untyped
share = 0.5
'''
    assert list(declared(source).values()) == [
        Parameter("logical_date", "str", "2026-11-20", "the last day"),
        Parameter("days", "int", -7),
        Parameter("models", "list[str]", ["a", "b"], 'which; "a # b" is one'),
        Parameter("note", "str | None", None, "untyped", typed=False),
        Parameter("share", "float", 0.5, typed=False),
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("days: int =", r"not Python: .*, line 1\. Mend the cell"),
        ("import os", r"Line 1 of the parameters cell is no parameter: import os\. Write each as `name: type = value"),
        ("a = b = 1", r"no parameter: a = b = 1"),
        ("days: int", r"no parameter: days: int"),
        ("days: int = 7\nhome = open('/etc/passwd').read()", r"default of the parameter home is computed: .*literal"),
        ("days: int = 3 + 4", r"default of the parameter days is computed: .*Write a literal"),
    ],
)
def test_a_line_that_is_no_parameter_is_named(source, said):
    """Whatever is no `name: type = literal` is refused with its line and the form that is wanted."""
    with pytest.raises(BadParameter, match=said):
        declared(source)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("int", [0, -3, 10**30], [True, 1.0, "1", None]),
        ("float", [0.5, 3, 10**400], [True, "0.5", None, float("nan"), float("inf")]),
        ("bool", [True, False], [0, 1, "true"]),
        ("str", ["", "7"], [7, None, ["a"]]),
        ("str | None", ["a", None], [1]),
        ("int | float | None", [1, 1.5, None], [True, "1"]),
        ("list", [[], [1, "a"]], [(), "ab", {}]),
        ("list[int]", [[], [1, 2]], [[1, True], [1, "2"], 1]),
        ("list[list[str]]", [[["a"]]], [["a"]]),
        ("dict", [{}, {"a": 1}], [[], "{}"]),
        ("dict[str, float]", [{"a": 1}], [{"a": "1"}, {1: 1.0}]),
        ("Literal['day', 'week']", ["day"], ["month", 1]),
        ("Literal[1]", [1], [True, 1.0, "1"]),
        ("date", [], ["2026-11-20", DAY, None]),
        ("list[int, int]", [], [[1, 2]]),
        ("int |", [], [1]),
        ("Optional[int]", [1, None], [True, "1", 1.5]),
        ("typing.Optional[list[str]]", [None, ["a"]], ["a", [1]]),
        ("List[str]", [[], ["a"]], ["a", ["a", 1], None]),
        ("Union[int, None]", [1, None], [1.5, "None"]),
        ("Union[str, List[int]]", ["a", [1]], [1, ["a"]]),
        ("Dict[str, Optional[float]]", [{"a": None, "b": 1}], [{"a": True}, {1: 1.0}]),
        ("Optional['int']", [1, None], ["int"]),
        ("Optional[Literal['day', 1]]", ["day", 1, None], [True, "week"]),
        ("Literal[True]", [True], [1, "True"]),
        ("Optional[date]", [], [None, "2026-11-20"]),
        ("Optional", [], [None, 1]),
        ("int()", [], [None, 1]),
        ("[int]", [], [None, [1]]),
    ],
)
def test_a_value_fits_its_type_or_does_not(kind, good, bad):
    """A bool is no number, nor is nan; an int is a float too, items of lists and dicts count, and a type that is
    not understood fits nothing."""
    assert [value for value in good if not fits(value, kind)] == []
    assert [value for value in bad if fits(value, kind)] == []


def test_a_run_gets_every_parameter_given_or_default(costs):
    """What is not given has its default; the run's date goes to a notebook that declares `logical_date`."""
    source = costs('logical_date: str = "2026-11-01"  # day\ndays: int = 7\nlabel: str | None = None')
    assert effective("costs", source, {"label": "x"}, logical_date=DAY) == {
        "logical_date": "2026-11-20",
        "days": 7,
        "label": "x",
    }
    assert effective("costs", costs("days: int = 7"), {}, logical_date=DAY) == {"days": 7}
    assert effective("costs", costs(""), {}, logical_date=DAY) == {}


def test_the_date_is_said_once(costs):
    """The same date again is no harm; another one is refused with both."""
    source = costs('logical_date: str = "2026-11-01"')
    assert effective("costs", source, {"logical_date": DAY}, logical_date=DAY) == {"logical_date": "2026-11-20"}
    with pytest.raises(BadParameter, match=r"for 2026-11-20 but its parameter logical_date says '2026-11-19'"):
        effective("costs", source, {"logical_date": "2026-11-19"}, logical_date=DAY)


def test_an_unknown_name_is_refused_with_those_there_are(costs):
    """Papermill would only warn and go on; every unknown name is in the message, and so is every known one."""
    source = costs("days: int = 7  # length\nlabel: str | None = None")
    with pytest.raises(BadParameter) as caught:
        effective("costs", source, {"day": 3, "Label": "x", "days": 3}, logical_date=DAY)
    assert str(caught.value) == (
        "The notebook costs has no parameter 'Label', 'day'. "
        "Did you mean 'label'? It knows: days: int = 7  (length); label: str | None = None."
    )


def test_an_ill_typed_value_is_refused_with_what_it_is_and_ought_to_be(costs):
    """The message has the name, the type wanted, the type given and a value cut short."""
    source = costs("days: int = 7")
    with pytest.raises(BadParameter, match=r"The parameter days of the notebook costs is int, not str \('7'\)\."):
        effective("costs", source, {"days": "7"}, logical_date=DAY)
    with pytest.raises(BadParameter) as caught:
        effective("costs", source, {"days": "x" * 1000}, logical_date=DAY)
    assert len(str(caught.value)) < 200


def test_an_ill_typed_secret_is_not_shown(costs):
    """The value of a parameter whose name says that it is a secret is in no message."""
    for ask in (
        lambda: effective("costs", costs("api_key: int = 1"), {"api_key": "hunter22"}, logical_date=DAY),
        lambda: read("costs", costs("api_key: int = 1"), {"api_key": "hunter22"}),
    ):
        with pytest.raises(BadParameter, match="not shown") as caught:
            ask()
        assert "hunter22" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int = 1", "7", 7),
        ("float = 1.0", "7", 7),
        ("float = 1.0", "1e-3", 0.001),
        ("bool = True", "False", False),
        ("bool = True", "true", True),
        ('str = ""', "7", "7"),
        ('str = ""', "None", "None"),
        ('str = ""', "true", "true"),
        ("str | None = None", "None", None),
        ("int | None = None", "none", None),
        ("list[str] = []", '["a", "b"]', ["a", "b"]),
        ("dict[str, int] = {}", '{"a": 1}', {"a": 1}),
        ("Literal['day', 'week'] = 'day'", "week", "week"),
        ("\"Literal['day', 'week']\" = 'day'", "week", "week"),
        ("Literal[1, 2] = 1", "2", 2),
    ],
)
def test_text_is_read_by_the_declared_type(costs, kind, text, value):
    """On a command line `7` is a number where a number is wanted and text where text is."""
    found = read("costs", costs(f"p: {kind}"), {"p": text})["p"]
    assert (found, type(found)) == (value, type(value))


def test_text_of_another_type_is_refused_with_the_default(costs):
    """`days=seven` names the text, the type, the parameter and what its default is."""
    with pytest.raises(BadParameter) as caught:
        read("costs", costs("days: int = 7"), {"days": "seven"})
    assert str(caught.value) == (
        "'seven' is no int, which the parameter days of the notebook costs is. Its default is 7."
    )


def test_a_notebook_without_a_parameters_cell_can_be_told_nothing(costs):
    """It would run with its own values whatever was passed: it is refused with how to tag the cell."""
    with pytest.raises(BadParameter, match=r"has no code cell tagged `parameters`.*Tag its parameters cell"):
        effective("costs", costs(None), {}, logical_date=DAY)


def test_a_date_is_written_one_way():
    """YYYY-MM-DD and nothing else, not even the other forms of ISO 8601: reports are filed under it."""
    assert to_date("2026-02-28") == date(2026, 2, 28)
    for text in (
        "2026-02-30",
        "20261120",
        "2026-W47-5",
        "20-11-2026",
        "yesterday",
        "",
        "2026-11-20T00:00",
        "../../../x",
    ):
        with pytest.raises(BadDate, match=r"is not a date\. Write it as YYYY-MM-DD, e\.g\. 2026-11-20\."):
            to_date(text)
