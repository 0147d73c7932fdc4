"""The rules and the dashboard of `deploy/`, read by Prometheus' grammar over what a real endpoint serves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import openai
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from daybook.cli import main
from daybook.providers.catalogue import Catalogue
from tests.gateway.conftest import MODELS, served, settings_in

ROOT = Path(__file__).parents[2]
RULES = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/daybook.rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
BOARD = json.loads((ROOT / "deploy/grafana/daybook.json").read_text())
TARGETS = [
    (f"{panel['title']} {target['refId']}", target["expr"], target["legendFormat"])
    for panel in BOARD["panels"]
    for target in panel["targets"]
]
EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in RULES] + [(name, expr) for name, expr, _ in TARGETS]
SCRAPED = {"job", "instance"}
"""Labels that Prometheus gives what it reads, and `up`, which it adds."""
HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def metrics(upstream, tmp_path_factory):
    """Metric → label → values, as /metrics has them after calls that were answered, streamed, failed, fell back, were
    refused and copied to a shadow."""
    settings = settings_in(tmp_path_factory.mktemp("deploy"))
    settings.home.mkdir(parents=True, mode=0o700)
    models = "  good: {upstream: fake}\n  down: {upstream: fake}\n  gone: {upstream: fake, fallback: [good]}\n"
    settings.models.write_text(MODELS.format(url=upstream.url, models=models))
    catalogue = Catalogue.load(settings.models, {"FAKE_KEY": "sk-ours"}, home=settings.home)
    with pytest.MonkeyPatch.context() as patch, served(settings, catalogue) as endpoint:
        patch.setenv("DAYBOOK_HOME", str(settings.home))
        patch.setenv("FAKE_KEY", "sk-ours")
        assert main(["deploy", "create", "chat", "v1=good", "v2=good", "--strategy", "shadow"]) == 0
        endpoint.parts.deployments.refresh()
        chat = endpoint.client().chat.completions
        for model in ("good", "gone", "chat", "local/echo"):
            chat.create(model=model, messages=HELLO)
        list(chat.create(model="good", messages=HELLO, stream=True))
        with pytest.raises(openai.InternalServerError):
            chat.create(model="down", messages=HELLO)
        with pytest.raises(openai.AuthenticationError):
            endpoint.client("wrong").chat.completions.create(model="good", messages=HELLO)
        endpoint.until(lambda: b'outcome="answered"' in endpoint.parts.metrics.text())
        text = endpoint.parts.metrics.text().decode()
    known: dict[str, dict[str, set[str]]] = {"up": {}}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = known.setdefault(sample.name, {})
            for name, value in sample.labels.items():
                labels.setdefault(name, set()).add(value)
    return known


def parse(expression):
    """The expression's tree; Grafana's own words stand for durations and names."""
    return promql_parser.parse(expression.replace("$__rate_interval", "5m").replace("$job", "daybook"))


class Walk:
    """The selectors of an expression, and the labels that it groups by."""

    def __init__(self, tree) -> None:
        self.selectors = []
        self.groups = set()
        self._visit(tree)

    def _visit(self, node) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            self.selectors.append(node)
        elif isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            self.groups |= set(node.modifier.labels)
        for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
            child = getattr(node, name, None)
            if child is not None and not isinstance(child, int | float | str):
                self._visit(child)
        for child in getattr(node, "args", None) or ():
            self._visit(child)


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=[name for name, _ in EXPRESSIONS])
def test_an_expression_is_promql_over_metrics_that_are_served(metrics, name, expression):
    """Every selector names a metric of /metrics, by labels that it has and values that occur."""
    walk = Walk(parse(expression))
    assert walk.selectors
    for selector in walk.selectors:
        assert selector.name in metrics, selector.name
        labels = metrics[selector.name]
        for matcher in selector.matchers.matchers:
            if matcher.name in SCRAPED:
                continue
            assert matcher.name in labels, (selector.name, matcher.name)
            stated = matcher.value.split("|")
            assert set(stated) & labels[matcher.name], (selector.name, matcher.name, stated)
    served_labels = set().union(SCRAPED, *(metrics[selector.name] for selector in walk.selectors))
    assert walk.groups <= served_labels


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_a_rule_is_whole_and_names_what_its_expression_keeps(rule):
    """An alert compares with a number, has a severity, a summary and what to do; `$labels` are those it groups by."""
    assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert re.fullmatch(r"Daybook[A-Za-z]+", rule["alert"])
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description"}
    assert any(sign in rule["expr"] for sign in (" > ", " == 0"))
    walk = Walk(parse(rule["expr"]))
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert named <= (walk.groups | (SCRAPED if rule["alert"] == "DaybookDown" else set()))


def test_what_has_to_be_watched_has_a_rule():
    """Error rate, latency, spending, unpriced calls and the journal's age; no name twice."""
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    assert {"DaybookErrorRate", "DaybookLatency", "DaybookSpend", "DaybookSpendJump", "DaybookUnpricedCalls",
            "DaybookJournalAge"} <= set(names)  # fmt: skip


@pytest.mark.parametrize(("name", "expression", "legend"), TARGETS, ids=[name for name, _, _ in TARGETS])
def test_a_legend_names_labels_that_the_expression_keeps(name, expression, legend):
    """Else every line of the panel is called the same."""
    groups = Walk(parse(expression)).groups - {"le"}
    assert set(re.findall(r"\{\{(\w+)\}\}", legend)) == groups


def test_the_dashboard_is_whole():
    """Panels with ids of their own, none on another one, all over the chosen Prometheus."""
    panels = BOARD["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    sources = [panel["datasource"] for panel in panels] + [t["datasource"] for p in panels for t in p["targets"]]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)
    assert [variable["name"] for variable in BOARD["templating"]["list"]] == ["datasource", "job"]
    assert all(panel["title"] and panel["description"] for panel in panels)
