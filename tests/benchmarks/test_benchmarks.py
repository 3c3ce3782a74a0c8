"""The benchmark works: each group measures both sides, and writes what it measured.

No time is asserted: how fast this machine is today says nothing about the code.
"""

import json
import xml.etree.ElementTree as ElementTree
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from unittest import mock

import pytest

from dj_sessions import serializers
from tests.benchmarks.__main__ import GROUPS, main
from tests.benchmarks.commands import do_serializers
from tests.benchmarks.over_http.load import load
from tests.benchmarks.profile import main as profile
from tests.benchmarks.results import Row
from tests.stores import Case

#: Enough of them to run every line, on few processes.
STORES = {
    "db": "sqlite,postgres",
    "cache": "redis,memcached",
    "cached_db": "sqlite,locmem",
    "file": "file",
    "redis": "redis",
    "codec": "",
    "requests": "sqlite,signed_cookies",
    "http": "redis",
    "memory": "file",
    "clearing": "mariadb",
}


def test_every_group_is_tried():
    assert list(STORES) == list(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_measures_both_sides(group, tmp_path, capfd):
    command = ["--tiny", "--stores", STORES[group], "--output", str(tmp_path), group]
    assert main(command) == 0
    result = json.loads((tmp_path / "benchmarks.json").read_text())
    told = capfd.readouterr()
    assert "Traceback" not in told.err
    assert result["rows"] or result["missing"]
    for row in result["rows"]:
        assert row["group"] == group
        assert len(row["django"]) == len(row["ours"]) == 1
        assert row["operation"] in told.out
    for missing in result["missing"]:
        assert missing["reason"] in told.out
    drawn = ElementTree.parse(tmp_path / f"{group}.svg")
    assert drawn.getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_a_missing_server_is_named_and_left_out(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(Case, "missing", property(lambda case: "it is out today"))
    assert main(["--tiny", "--stores", "postgres", "--output", str(tmp_path), "db"]) == 0
    assert "not measured: postgres: it is out today" in capsys.readouterr().out
    result = json.loads((tmp_path / "benchmarks.json").read_text())
    assert result["rows"] == []
    assert result["missing"] == [{"group": "db", "store": "postgres", "reason": "it is out today"}]


def test_a_serializer_whose_library_is_missing_is_left_out():
    others = ["EncryptedJSONSerializer", "JSONSerializer", "TypedJSONSerializer"]
    assert sorted(do_serializers()) == sorted([*others, "FastJSONSerializer"])
    with mock.patch.object(serializers, "orjson", None):
        assert do_serializers() == others


def test_the_ratio_is_that_of_each_round_and_not_of_the_medians():
    row = Row("db", "sqlite", "load", "µs", django=[1.0, 10.0, 4.0], ours=[2.0, 5.0, 1.0])
    assert row.ratio.median == 0.5
    assert (row.ratio.low, row.ratio.high) == (0.375, 1.25)


def test_there_is_no_ratio_to_nothing():
    row = Row("clearing", "sqlite", "errors", "", django=[0.0], ours=[3.0])
    assert row.ratio is None
    assert row.as_json()["ratio"] is None


class Broken(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(500)

    def log_message(self, *arguments):
        """The test knows what was asked."""


def test_an_answer_that_is_no_200_is_not_counted_as_one():
    with HTTPServer(("127.0.0.1", 0), Broken) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(AssertionError, match="500"):
                load(server.server_port, ["sessionid=x"], "/", connections=1, seconds=0.01)
        finally:
            server.shutdown()
            thread.join()


def test_the_profile_names_functions_of_the_side(capsys):
    assert profile(["db-sqlite", "stores load", "--side", "ours"]) == 0
    assert "dj_sessions/backends/stored.py" in capsys.readouterr().out
