"""The dashboard for Grafana and the alerts name what is counted, and lead to pages that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
import yaml

from dj_sessions._metrics.expected import KNOWN
from dj_sessions._metrics.instruments import INSTRUMENTS, Instrument
from dj_sessions._metrics.prometheus import labels_of, name_of
from dj_sessions.storage.measured import OPERATIONS
from tests.browser.needs import missing
from tests.docs.pages import DOCS, ROOT, docs

DASHBOARD = json.loads((DOCS / "_static/dj_sessions-dashboard.json").read_text())
ALERTS_FILE = DOCS / "_static/dj_sessions-alerts.yml"
[GROUP] = yaml.safe_load(ALERTS_FILE.read_text())["groups"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
ROWS = docs("counters").sections["What to alert on"].rows
TABLE = {row["Alert"]: row["As PromQL"].strip("`") for row in ROWS}
HOME = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Documentation"]
#: Read the Docs leads from there to the version that it shows first.
PUBLISHED = f"{HOME}page/"

#: What Prometheus itself adds to each series, and the bound of a bucket.
ADDED = {"job", "instance", "le"}
FUNCTIONS = {
    *("sum", "rate", "increase", "round", "vector", "absent"),
    *("histogram_quantile", "avg_over_time"),
}
KEYWORDS = {"by", "and", "or"}
TOKENS = re.compile(
    r"""(?P<text>"[^"]*") | (?P<window>\[[^][]*\]) | (?P<number>\d+(?:\.\d+)?)
      | (?P<name>[a-z_]\w*) | (?P<sign>[<>!=]=|=~|!~|[-+*/<>=(){},]) | (?P<space>\s+)""",
    re.VERBOSE,
)
WINDOW = re.compile(r"\[(\d+[smhd](:\d+[smhd])?|\$__(rate_interval|range))\]")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def series() -> dict[str, Instrument]:
    """The instruments by the names under which Prometheus has their series."""
    found = {}
    for each in INSTRUMENTS:
        endings = ("_bucket", "_sum", "_count") if each.is_histogram else ("_total",)
        found |= {name_of(each) + ending: each for ending in endings}
    return found


SERIES = series()


class Expression:
    """An expression of PromQL, taken apart as far as names of metrics and labels go."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.metrics = set(re.findall(r"\bdj_sessions_\w+", text))
        #: The names of labels by which it is grouped.
        self.groups = {
            name for names in re.findall(r"\bby \(([^)]*)\)", text) for name in names.split(", ")
        }

    @property
    def selectors(self) -> Iterator[tuple[str, str, str, str]]:
        """Each matcher of a label: of which metric, the label, how it compares, with what."""
        for metric, matchers in re.findall(r"\b(dj_sessions_\w+)\{([^}]*)\}", self.text):
            assert MATCHER.sub("", matchers).strip(",") == "", self.text
            for label, sign, value in MATCHER.findall(matchers):
                yield metric, label, sign, value

    def parse(self) -> None:
        """Fail unless each word is known, each bracket closed, and each window a duration."""
        place, open_brackets = 0, []
        while place < len(self.text):
            token = TOKENS.match(self.text, place)
            assert token, f"{self.text}: {self.text[place:]!r}"
            kind, text = token.lastgroup, token[0]
            if kind == "window":
                self._is_window(text, place)
            elif text in ("(", "{"):
                open_brackets.append({"(": ")", "{": "}"}[text])
            elif text in (")", "}"):
                assert open_brackets, self.text
                assert open_brackets.pop() == text, self.text
            elif kind == "name" and "}" not in open_brackets:
                assert text in FUNCTIONS | KEYWORDS | set(SERIES) | self.groups, self.text
            place = token.end()
        assert not open_brackets, self.text

    def _is_window(self, text: str, place: int) -> None:
        assert WINDOW.fullmatch(text), text
        before = self.text[:place]
        is_subquery = ":" in text
        assert before.endswith(")") if is_subquery else re.search(r"(\}|_\w+)$", before), self.text


def labels_at(metric: str) -> set[str]:
    return ADDED | set(labels_of(SERIES[metric]))


TARGETS = {
    f"{panel['title']}-{target['refId']}": target for panel in PANELS for target in panel["targets"]
}
EXPRESSIONS = TABLE | {name: target["expr"] for name, target in TARGETS.items()}

everywhere = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
each_expression = pytest.mark.parametrize("text", EXPRESSIONS.values(), ids=EXPRESSIONS)


# Expressions


@each_expression
def test_an_expression_is_whole(text):
    Expression(text).parse()


@each_expression
def test_metrics_and_labels_are_those_that_are_counted(text):
    expression = Expression(text)
    assert expression.metrics
    assert expression.metrics <= set(SERIES)
    for metric, label, _, _ in expression.selectors:
        assert label in labels_at(metric), text
    for metric in expression.metrics:
        assert expression.groups <= labels_at(metric), text


@each_expression
def test_values_of_labels_are_those_that_are_counted(text):
    for metric, label, sign, value in Expression(text).selectors:
        if value.startswith("$"):
            assert (value, sign) == (f"${label}", "=~")
            continue
        known = OPERATIONS if label == "operation" else KNOWN[SERIES[metric]][label]
        matching = [each for each in known if re.fullmatch(value, each)]
        assert 0 < len(matching) < len(known), text
        assert "~" in sign or matching == [value], text


def test_every_instrument_is_in_the_dashboard():
    texts = "".join(target["expr"] for target in TARGETS.values())
    missing = [each.name for each in INSTRUMENTS if name_of(each) not in texts]
    assert missing == []


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_legend_names_labels_that_the_expression_keeps(target):
    named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
    assert named == Expression(target["expr"]).groups - {"le"}


def names_in(target: dict[str, Any]) -> set[str]:
    """What a legend can show, as far as that is known beforehand."""
    [label] = re.findall(r"^\{\{(\w+)\}\}$", target["legendFormat"]) or [""]
    metrics = Expression(target["expr"]).metrics
    known = [KNOWN.get(SERIES[metric], {}).get(label, ()) for metric in metrics]
    return {target["legendFormat"], *(value for values in known for value in values)}


@everywhere
def test_what_has_a_colour_of_its_own_is_there(panel):
    shown = {name for target in panel["targets"] for name in names_in(target)}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["id"] == "byName":
            assert override["matcher"]["options"] in shown


# The dashboard


def test_it_shows_any_prometheus_that_the_reader_chooses():
    assert VARIABLES["datasource"]["type"] == "datasource"
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in PANELS:
        assert all(part["datasource"] == chosen for part in (panel, *panel["targets"]))
    assert all(
        each["datasource"] == chosen for each in VARIABLES.values() if each["type"] == "query"
    )


def test_it_needs_nothing_that_grafana_does_not_bring():
    assert {panel["type"] for panel in DASHBOARD["panels"]} <= {"row", "stat", "timeseries"}
    needed = {(each["type"], each["id"]) for each in DASHBOARD["__requires"]}
    assert {("panel", panel["type"]) for panel in PANELS} <= needed
    assert DASHBOARD["id"] is None


def test_its_variables_are_labels_of_what_is_there_from_the_start():
    assert set(VARIABLES) == {"datasource", "job", "instance", "engine"}
    texts = json.dumps(DASHBOARD["panels"])
    for name in ("job", "instance", "engine"):
        asked = VARIABLES[name]["query"]["query"]
        assert asked == VARIABLES[name]["definition"]
        expression, label = re.fullmatch(r"label_values\((.*), (\w+)\)", asked).groups()
        assert label == name
        [metric] = Expression(expression).metrics
        assert SERIES[metric] in KNOWN
        assert name in labels_at(metric)
        assert VARIABLES[name]["allValue"] == ".*"
    assert set(re.findall(r"\$(\w+)", texts)) <= {*VARIABLES, "__rate_interval", "__range"}


def test_panels_have_ids_of_their_own_and_lie_beside_each_other():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        overlap = [
            one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
            for at, size in (("x", "w"), ("y", "h"))
        ]
        assert not all(overlap)


def test_titles_are_told_apart():
    titles = [panel["title"] for panel in DASHBOARD["panels"]]
    assert len(set(titles)) == len(titles)


# Pages


def addresses_of(text: str) -> list[str]:
    return re.findall(re.escape(HOME) + r"[^\s)\"]*", text)


@everywhere
def test_a_panel_says_what_it_means_and_which_page_helps(panel):
    assert len(panel["description"]) > 60
    assert addresses_of(panel["description"])


def test_every_address_leads_to_a_page_and_a_heading():
    found = addresses_of(json.dumps(DASHBOARD) + ALERTS_FILE.read_text())
    assert found
    for address in set(found):
        name, _, anchor = address.removeprefix(PUBLISHED).partition("#")
        page = docs(name.removesuffix(".html"))
        # As Sphinx writes it, which is not always how a link inside the pages does.
        headings = {re.sub(r"[^a-z0-9]+", "-", each.lower()).strip("-") for each in page.sections}
        assert not anchor or anchor in headings, address


def test_the_page_has_both_files_to_download():
    text = docs("counters").text
    for name in ("dj_sessions-dashboard.json", "dj_sessions-alerts.yml"):
        assert f"[{name}](_static/{name})" in text


# Alerts


def test_the_alerts_of_the_page_and_of_the_file_are_the_same():
    in_file = {rule["annotations"]["summary"]: rule["expr"] for rule in GROUP["rules"]}
    assert in_file == {name.replace("`", ""): text for name, text in TABLE.items()}


def test_each_alert_says_what_it_means_and_which_page_helps():
    assert len({rule["alert"] for rule in GROUP["rules"]}) == len(GROUP["rules"])
    for rule in GROUP["rules"]:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert addresses_of(rule["annotations"]["runbook_url"])
        assert rule["annotations"]["description"]


# What Prometheus says


def told_by_promtool(*arguments: object) -> str:
    promtool = shutil.which("promtool") or missing("no promtool on PATH, which Prometheus brings")
    done = subprocess.run(
        [promtool, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_understands_every_expression(tmp_path):
    rules = [
        {"record": f"n{n}", "expr": re.sub(r"\$__\w+", "5m", text)}
        for n, text in enumerate(EXPRESSIONS.values())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    assert f"{len(rules)} rules found" in told_by_promtool("check", "rules", file)
    assert f"{len(GROUP['rules'])} rules found" in told_by_promtool("check", "rules", ALERTS_FILE)


#: Minutes before something happens: few enough that what looks back a day finds less than that.
BEFORE = 180


def rising(before: int, after: int) -> str:
    """By promtool's notation a counter, each minute: at one rate, and for an hour at another."""
    return f"0+{before}x{BEFORE} {BEFORE * before + after}+{after}x60"


#: A busy site that is well; its cache was flushed once.
HEALTHY = {
    "saves_total{kind='changed'}": rising(600, 600),
    "merges_total{outcome='given-up'}": rising(0, 0),
    "copy_reads_total{outcome='hit'}": rising(900, 900),
    "copy_reads_total{outcome='miss'}": rising(90, 90),
    "copy_reads_total{outcome='stale'}": rising(0, 0),
    "copy_reads_total{outcome='unavailable'}": f"0x60 1x{BEFORE}",
    "storage_duration_seconds_bucket{operation='read',le='0.25'}": rising(990, 990),
    "storage_duration_seconds_bucket{operation='read',le='0.5'}": rising(990, 990),
    "storage_duration_seconds_bucket{operation='read',le='+Inf'}": rising(990, 990),
    "key_refusals_total{reason='unknown'}": rising(70, 70),
    "key_refusals_total{reason='hashed'}": rising(0, 0),
    "data_corrupt_total{}": rising(0, 0),
    "save_size_bytes_bucket{le='65536'}": rising(600, 600),
    "save_size_bytes_bucket{le='262144'}": rising(600, 600),
    "save_size_bytes_bucket{le='+Inf'}": rising(600, 600),
}
ONCE = f"0x{BEFORE} 1x60"
#: What happens to it then, by the alert that tells of it, and no other one does.
TROUBLE = {
    "": {},
    "SessionStoreFails": {
        "storage_errors_total{operation='read',error_type='OperationalError'}": f"_x{BEFORE} 1+9x60"
    },
    "SessionCacheDown": {
        "copy_reads_total{outcome='unavailable'}": rising(0, 990),
        "copy_reads_total{outcome='hit'}": rising(900, 0),
        "copy_reads_total{outcome='miss'}": rising(90, 0),
    },
    "SessionCopiesNotUsed": {
        "copy_reads_total{outcome='stale'}": rising(0, 900),
        "copy_reads_total{outcome='hit'}": rising(900, 0),
    },
    "SessionStoreSlow": {
        "storage_duration_seconds_bucket{operation='read',le='0.25'}": rising(990, 900)
    },
    "SessionSavesGivenUp": {"merges_total{outcome='given-up'}": ONCE},
    "SessionKeysGuessed": {"key_refusals_total{reason='unknown'}": rising(70, 3000)},
    "SessionKeyOutOfStore": {"key_refusals_total{reason='hashed'}": ONCE},
    "SessionDataCorrupt": {"data_corrupt_total{}": ONCE},
    "SessionsHuge": {"save_size_bytes_bucket{le='65536'}": rising(600, 500)},
    "SessionCountersMissing": {"saves_total{kind='changed'}": f"0+600x{BEFORE}"},
}


@pytest.mark.parametrize("alert", TROUBLE)
def test_an_alert_is_told_of_its_trouble_alone(alert, tmp_path):
    told = [{"labels": f'{{alertname="{alert}"}}', "value": 1}] if alert else []
    firing = 'max by (alertname) (max_over_time(ALERTS{alertstate="firing"}[%s]))'
    case = {
        "interval": "1m",
        "input_series": [
            {"series": "dj_sessions_" + name.replace("{", "{job='shop',"), "values": values}
            for name, values in (HEALTHY | TROUBLE[alert]).items()
        ],
        "promql_expr_test": [
            {"expr": firing % "3h", "eval_time": f"{BEFORE}m", "exp_samples": []},
            {"expr": firing % "1h", "eval_time": f"{BEFORE + 60}m", "exp_samples": told},
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS_FILE)], "tests": [case]}))
    told_by_promtool("test", "rules", file)


def test_the_trouble_is_that_of_every_alert():
    assert set(TROUBLE) - {""} == {rule["alert"] for rule in GROUP["rules"]}
