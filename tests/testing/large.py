#!/usr/bin/env python3
"""ferrule test with many messages: what would take hours if each were held against each, and again for each."""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import check, equal, main, test  # noqa: E402

MANY = 30000
FLOW = """flow: many
owner: tests
from: {file: 'in/*', after: archive}
steps: [decode: json, {split: {by: '.[]'}}]
publish: many.v1
"""


def run(site, published, code):
    site.flow(FLOW)
    site.write("in/many.json", json.dumps([{"n": n} for n in range(MANY)]))
    site.write("tests/many.yaml", f"test: many\nflow: many\ninput: in/many.json\npublished: {published}\n")
    got, out, err = site.type("test")
    equal(got, code, out[-1000:] + err)
    return out


@test("what fits several expectations goes to those that nothing else fits")
def overlapping(site):
    half = MANY // 2
    for first, second in ((f"where: .n < {half}, count: {half}", f"count: {half}"), (f"count: {half}", f"where: .n < {half}, count: {half}")):
        run(site, f"[{{topic: many.v1, {first}}}, {{topic: many.v1, {second}}}]", 0)


@test("of many that came otherwise some are shown, and the others counted")
def otherwise(site):
    out = run(site, "[{topic: many.v1, has: {n: 7}, count: 20000}]", 1)
    check("did not come (19949 of 20000)" in out and "more that nobody expected" in out and out.count("but otherwise") == 50, out[-2000:])


main()
