#!/usr/bin/env python3
"""ferrule test --coverage: which parts of mappings never ran."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import check, equal, main, test  # noqa: E402

FLOW = """
flow: intake
owner: tests
from: {file: 'in/*.json', after: archive}
steps:
  - decode: json
  - split: {by: '.[]', id: [.n]}
  - filter: .n < 100
  - map: thing.jq
publish: thing.v1
---
flow: out
owner: tests
subscribe: thing.v1
steps: [{encode: json}]
to: {file: 'out/$(.n).json', exists: refuse, create: yes}
effect: rename
"""


def told(site, *words):
    code, out, err = site.type("test", "--coverage", *words)
    equal(code, 0, out + err)
    return out


def missing(site):
    files = {f["file"]: f for f in json.loads(told(site, "--json"))["coverage"]["files"]}
    check("flows/intake.yaml" in files, files)
    mapping = files["mappings/thing.jq"]
    check(mapping["measured"] and mapping["ran"] == mapping["parts"] - len(mapping["missing"]), mapping)
    return [(m["line"], m["column"], m["kind"], m["text"]) for m in mapping["missing"]]


def site_of(site, mapping):
    site.write("flows/intake.yaml", FLOW)
    site.write("mappings/thing.jq", mapping)
    site.write("tests/one.yaml", "test: one\nflow: intake\ninput: {json: [{n: 1, name: One}]}\npublished: [{has: {size: small}}]\n")


@test("which parts of a mapping never ran is told with line and column, and tests agree as without it")
def parts(site):
    site_of(site, """def never: 1;
{
  n,
  size: (if .n > 5 then "large" else "small" end),
  nick: .nick,
  name: (.name // "nobody"),
  lines: [.lines[]? | .x]
}
""")
    equal(missing(site), [(1, 12, "function", "1"), (4, 25, "then", '"large"'), (5, 9, "field", ".nick"),
                          (6, 19, "alternative", '"nobody"'), (7, 23, "each", ".x")], "what is missing")
    check("mappings/thing.jq:4:25: then never ran" in told(site), "for people")
    site.write("tests/more.yaml", "test: the rest\nflow: intake\ninput: {json: [{n: 9, nick: N, lines: [{x: 1}]}]}\npublished: 1\n")
    equal([kind for _, _, kind, _ in missing(site)], ["function"], "what is missing now")


@test("a long part is cut between two characters")
def cut(site):
    site_of(site, '{n, size: "small", name: (.name // "a' + "ü" * 60 + '")}\n')
    equal([text for *_, text in missing(site)], ['"a' + "ü" * 24 + "…"], "what is shown")


main()
