"""What a notebook may be told: the typed assignments of its cell tagged `parameters`.

    logical_date: str = "2026-11-20"   # the last day of the window, UTC
    days: int = 7                      # length of the window

The cell is read, never executed. Papermill itself only warns of an unknown parameter and takes any
value for it; here both are refused before a kernel is started.
"""

from __future__ import annotations

import ast
import io
import json
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import AfterValidator, ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from daybook.errors import BadDate, BadParameter, meant

TAG = "parameters"
INJECTED = "injected-parameters"
_TYPES: Mapping[str, Any] = {
    **{kind.__name__: kind for kind in (bool, int, str, list, dict)},
    **{"List": list, "Dict": dict, "Sequence": list, "Mapping": dict, "Iterable": list},
    **{"Optional": Optional, "Union": Union, "Literal": Literal, "Any": Any, "object": Any, "None": None},
    "NoneType": None,
    "float": int | float,  # however long the integer is
}
"""The names that an annotation may use. JSON has one kind of list and one of mapping: the abstract ones are these."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line of the parameters cell."""

    name: str
    type: str
    """As written, e.g. `int` or `str | None`; guessed from the default where nothing is written."""
    default: Any
    comment: str = ""
    typed: bool = True

    def __str__(self) -> str:
        text = f"{self.name}: {self.type} = {self.default!r}"
        return f"{text}  ({self.comment})" if self.comment else text


def tags(cell: Mapping[str, Any]) -> list[str]:
    return list(cell.get("metadata", {}).get("tags", []))


def cell_of(notebook: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The code cell tagged `parameters`, or None."""
    tagged = [c for c in notebook["cells"] if c["cell_type"] == "code" and TAG in tags(c)]
    return tagged[0] if tagged else None


def declared(source: str) -> dict[str, Parameter]:
    """The parameters that a cell declares, in order. Raises BadParameter for a line that is none."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise BadParameter(
            f"The parameters cell is not Python: {error.msg}, line {error.lineno}.", remedy="Mend the cell."
        ) from error
    comments = _comments(source)
    parameters: dict[str, Parameter] = {}
    for line in tree.body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
            name, kind = line.target.id, _written(line.annotation)
        elif isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
            name, kind = line.targets[0].id, None
        elif isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
            continue
        else:
            raise BadParameter(
                f"Line {line.lineno} of the parameters cell is no parameter: {ast.unparse(line)[:80]}.",
                remedy="Write each as `name: type = value  # what it is`.",
            )
        try:
            default = ast.literal_eval(line.value)  # type: ignore[arg-type]  # both branches above have a value
        except ValueError as error:
            raise BadParameter(
                f"The default of the parameter {name} is computed: {ast.unparse(line)[:80]}.",
                remedy="Write a literal, so that it can be known without running the notebook.",
            ) from error
        parameters[name] = Parameter(
            name=name,
            type=kind or ("str | None" if default is None else type(default).__name__),
            default=default,
            comment=comments.get(line.end_lineno or line.lineno, ""),
            typed=kind is not None,
        )
    return parameters


def _written(annotation: ast.expr) -> str:
    """The type; one in quotes, which names what the cell cannot have imported, is what stands within them."""
    quoted = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    return annotation.value if quoted else ast.unparse(annotation)  # type: ignore[attr-defined]  # a constant has one


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def effective(
    word: str, notebook: Mapping[str, Any], given: Mapping[str, Any], *, logical_date: date
) -> dict[str, Any]:
    """Every parameter of the notebook with the value that this run uses: given, or its default.

    The logical date is passed to a notebook that declares `logical_date`. Raises BadParameter for a
    notebook without a parameters cell, an unknown name or an ill-typed value, naming those it knows.
    """
    cell = cell_of(notebook)
    if cell is None:
        raise BadParameter(
            f"The notebook {word} has no code cell tagged `{TAG}`, so nothing can be passed to it.",
            remedy="Tag its parameters cell (in JupyterLab: the gear at the right, Cell Tags).",
        )
    known = declared(cell["source"])
    values = dict(given)
    if "logical_date" in known:
        date_given = values.setdefault("logical_date", logical_date.isoformat())
        if str(date_given) != logical_date.isoformat():
            raise BadParameter(
                f"The run is for {logical_date} but its parameter logical_date says {date_given!r}.",
                remedy="Say the date once.",
            )
        values["logical_date"] = logical_date.isoformat()
    unknown = sorted(values.keys() - known.keys())
    if unknown:
        raise BadParameter(
            f"The notebook {word} has no parameter {', '.join(map(repr, unknown))}.",
            remedy=meant(unknown[0], known) + _known(known),
        )
    for name, value in values.items():
        if not fits(value, known[name].type):
            raise BadParameter(
                f"The parameter {name} of the notebook {word} is {known[name].type},"
                f" not {type(value).__name__} ({_shown(name, value)}).",
                remedy=_known(known),
            )
    return {name: values.get(name, parameter.default) for name, parameter in known.items()}


def read(word: str, notebook: Mapping[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Values from text, as typed on a command line, by the declared type of each parameter.

    Unknown names are passed on as text: `effective` refuses them with the list of known ones.
    """
    cell = cell_of(notebook)
    known = declared(cell["source"]) if cell is not None else {}
    return {name: _value(word, known[name], text) if name in known else text for name, text in texts.items()}


def _value(word: str, parameter: Parameter, text: str) -> Any:
    if fits(text, parameter.type):
        return None if text == "None" and fits(None, parameter.type) else text
    spelt = {"true": True, "false": False, "none": None}
    try:
        value = spelt[text.lower()] if text.lower() in spelt else json.loads(text)
    except ValueError:
        value = text
    if not fits(value, parameter.type):
        raise BadParameter(
            f"{_shown(parameter.name, text)} is no {parameter.type}, which the parameter"
            f" {parameter.name} of the notebook {word} is.",
            remedy=f"Its default is {parameter.default!r}.",
        )
    return value


def fits(value: Any, kind: str) -> bool:
    """Whether a plain value (as JSON has them) is of the type written as `kind`, in any of Python's spellings:
    `int | None`, `Optional[int]`, `Union[int, None]`, `list[str]`, `List[str]`, `typing.Literal["a"]`.

    An int is a float too; a bool is neither; nan and infinity are no figures. A type that is not understood fits
    nothing.
    """
    if (checker := _checker(kind)) is None:
        return False
    try:
        checker.validate_python(value)
    except ValidationError:
        return False
    return True


@lru_cache(maxsize=256)
def _checker(kind: str) -> TypeAdapter[Any] | None:
    """What checks the type; None where it is not understood."""
    try:
        written = _type(ast.parse(kind, mode="eval").body)
        return TypeAdapter(written, config=ConfigDict(strict=True, allow_inf_nan=False))
    except (SyntaxError, TypeError, KeyError, PydanticSchemaGenerationError):
        return None


def _type(node: ast.expr) -> Any:
    """The type that an annotation writes. Only names of types are looked up; nothing is executed."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return Union[_type(left), _type(right)]  # noqa: UP007 - the members are known only at run time
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(quoted)):
            return _type(ast.parse(quoted, mode="eval").body)
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(id="typing" | "t" | "types" | "collections"), attr=name):
            return _TYPES[name]
        case ast.Subscript(value=generic, slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            if _type(generic) is Literal:
                return _literal([ast.literal_eval(part) for part in parts])
            members = [_type(part) for part in parts]
            if _type(generic) is list and len(members) > 1:
                raise KeyError(ast.unparse(node))
            return _type(generic)[members[0] if len(members) == 1 else tuple(members)]
    raise KeyError(ast.unparse(node))


def _literal(choices: Sequence[object]) -> Any:
    """One of these values; to pydantic's own Literal, 1 is True."""

    def require(value: object) -> object:
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise ValueError("none of the choices")
        return value

    return Annotated[object, AfterValidator(require)]


def _known(known: Mapping[str, Parameter]) -> str:
    listed = "; ".join(str(parameter) for parameter in known.values()) or "none"
    return f"It knows: {listed}."


def _shown(name: str, value: Any) -> str:
    """A value as an error may show it: short, and not at all where the name says it is a secret."""
    from daybook.press.scrub import secret_name

    if secret_name(name):
        return "not shown"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def to_date(text: str) -> date:
    """A logical date from text. Raises BadDate with the format."""
    try:
        day = date.fromisoformat(text)
        if day.isoformat() != text:
            raise ValueError  # noqa: TRY301 - `20261120` and `2026-W47-5` are ISO too, but not what reports are filed under
    except ValueError as error:
        raise BadDate(f"{text[:40]!r} is not a date.", remedy="Write it as YYYY-MM-DD, e.g. 2026-11-20.") from error
    return day
