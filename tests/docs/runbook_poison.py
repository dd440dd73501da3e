#!/usr/bin/env python3
"""docs/runbooks/poison-message.md: a document that cannot be read, a mapping that is wrong, and a message that ends its worker."""
import json
import os

import runbook
from bed import Skip, check, equal, has_faults, main, test, wait

FLOW = """
flow: bank-statements
owner: treasury
from: {file: 'drop/*', after: archive, age: 0s, interval: 50ms}
steps:
  - decode: json
  - map: {jq: 'CHECK'}
to: {file: 'out/$(.n).json', exists: refuse, create: yes}
effect: rename
"""
STRICT = 'if .n > 100 then error("no such number") else . end'
TEST = """
flow: bank-statements
cases:
  - test: a statement is filed under its number
    input: {json: {n: 200}, name: camt.json}
    delivered: {to: bank-statements, has: {n: 200}}
"""


@test("the page for dead letters: shown as it is said, and at its end there is none")
def poison_message(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 1}\n")
    site.flow(FLOW.replace("CHECK", STRICT))
    site.write("tests/statements.yaml", TEST)
    site.start()
    site.drop("drop/camt-2.xml", b'{"n"\n')
    wait(lambda: len(site.dead()) == 1, 20, "the dead letter")
    page = runbook.Page(site, "poison-message", {}, {"EDITOR": "sed -i s/$/}/", "VISUAL": ""})
    page.type("ferrule status --problems", code=1)
    page.type("ferrule dead list")
    said = page.type("ferrule dead show 1")
    check("json.syntax" in said and "camt-2.xml" in said and "line 1" in said, said)
    page.type("ferrule dead discard 1")
    equal(site.dead(), [], "what is left")

    for n in range(200, 204):
        site.drop(f"drop/{n}.json", json.dumps({"n": n}))
    wait(lambda: len(site.dead()) == 4, 20, "the mapping's letters")
    site.flow(FLOW.replace("CHECK", "."))
    check("1 ok, 0 failed" in page.type("ferrule test"), page.type("ferrule test", again=True))
    page.type("ferrule check")
    site.reload()
    page.words["json.syntax"] = "jq.error"
    page.type("ferrule dead replay --cause json.syntax --first 1", again=True)
    wait(lambda: len(site.files("out")) == 1, 20, "the first")
    page.type("ferrule dead replay --cause json.syntax --rate 10/s")
    wait(lambda: len(site.files("out")) == 4, 20, "all of them")
    equal(site.dead(), [], "what is left")

    site.drop("drop/a-poison-crash.json", json.dumps({"n": 7}))
    site.drop("drop/slip.json", '{"n": 8')
    wait(lambda: {letter["cause"] for letter in site.dead()} == {"poison", "json.syntax"}, 40, "the poison to be dead")
    number = {letter["cause"]: letter["number"] for letter in site.dead()}
    page.words["show 1"] = f"show {number['poison']}"
    check(json.loads(page.type("ferrule dead show 1 --json"))["reason"], "without a reason")
    page.words["edit 1"] = f"edit {number['json.syntax']}"
    page.words["replay 1"] = page.words["edit 1"].replace("edit", "replay")
    check(page.words["replay 1"] in page.type("ferrule dead edit 1"), "the next command")
    page.type("ferrule dead replay 1")
    wait(lambda: "8.json" in site.files("out"), 20, "the one that was edited")
    site.do("dead", "discard", str(number["poison"]), "--reason", "made for a test")
    check("json" not in page.type("ferrule dead list"), "it is not over")
    page.over()


main()
