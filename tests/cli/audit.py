#!/usr/bin/env python3
"""ferrule audit: what is in the trail, that it holds, and that a change of it is found."""
import json
import os
import sqlite3
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import check, equal, main, test  # noqa: E402

FLOW = """
flow: copy
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 100ms}
steps: [{decode: json}, {encode: json}]
to: {file: 'out/$(.n).json', exists: refuse, create: yes}
effect: rename
audit: yes
"""


def site_of(site):
    site.flow(FLOW)
    site.write("in/one.json", '{"n": 1}')
    code, out, err = site.type("run", "--until-idle")
    equal(code, 0, err)


def show(site, *words):
    code, out, err = site.type("audit", "show", "--json", *words)
    equal(code, 0, err)
    return [json.loads(line) for line in out.splitlines()]


def verify(site, *words, code=0):
    got, out, err = site.type("audit", "verify", *words)
    equal(got, code, out + err)
    return out + err


@test("the trail has the revision, what came and went with digests, and what persons did")
def records(site):
    site_of(site)
    equal(site.type("hold", "copy", "--until", "90m", "--reason", "upgrade")[0], 0, "hold")
    equal(site.type("resume", "copy")[0], 0, "resume")
    records = show(site)
    whats = [record["what"] for record in records]
    for what in ["audit.key", "revision", "received", "delivered", "hold.set", "hold.release", "checkpoint"]:
        check(what in whats, f"no {what} in {whats}")
    equal([record["n"] for record in records], list(range(1, len(records) + 1)), "numbers")
    received = records[whats.index("received")]["facts"]
    equal((received["document"], received["size"], received["flow"]), ("one.json", 8, "copy"), "received")
    delivered = records[whats.index("delivered")]["facts"]
    check(delivered["receipt"]["path"].endswith("out/1.json"), delivered)
    held = records[whats.index("hold.set")]
    check(held["by"] and held["facts"]["reason"] == "upgrade", held)
    equal([record["what"] for record in show(site, "--what", "hold.*", "--by", held["by"])], ["hold.set", "hold.release"], "chosen")
    equal([record["what"] for record in show(site, "--limit", "1")], [whats[-1]], "the newest")
    shown = site.do("audit", "show")
    check("hold.release" in shown and "checkpoint" not in shown, "check points between what happened", shown)
    equal(site.do("audit", "show", "--what", "checkpoint").count("checkpoint"), whats.count("checkpoint"), "check points that were asked for")


@test("a trail that was exported verifies without the site, and with what an earlier verification told")
def export(site):
    site_of(site)
    told = json.loads(verify(site, "--json"))
    path = os.path.join(site.root, "audit.jsonl")
    equal(site.type("audit", "export", path)[0], 0, "export")
    again = json.loads(verify(site, path, "--json", "--head", f"{told['records']}:{told['hash']}", "--key", told["key"]))
    check(again["records"] >= told["records"] and again["signed"] == again["records"], again)
    equal(site.type("audit", "export", path)[0], 1, "a file that is there stays")
    lines = open(path).read().splitlines()
    with open(path, "w") as file:
        file.write("\n".join(lines[:2]) + "\n")
    check("ends at record 2" in verify(site, path, "--head", f"{told['records']}:{told['hash']}", code=1), "cut at its end")
    with open(path, "w") as file:
        file.write("\n".join(lines).replace("one.json", "two.json") + "\n")
    check("does not carry the hash" in verify(site, path, code=1), "changed")
    check("audit.key-unknown" in verify(site, "--json", "--key", "A" * 43 + "=", code=1), "another key")


@test("what a transfer receives and delivers is in the trail without further words")
def transfer(site):
    site.write("transfers/nightly.yaml", """
transfer: nightly
owner: tests
from: {file: 'in/*.txt', after: archive, age: 0s, interval: 100ms}
to: {file: 'out/copy.txt', exists: refuse, create: yes}
effect: rename
""")
    site.write("in/one.txt", "one")
    code, _, err = site.type("run", "--until-idle")
    equal(code, 0, err)
    records = [record for record in show(site) if record["what"] in ("received", "delivered")]
    equal([(record["what"], record["facts"]["flow"], record["facts"]["size"]) for record in records],
          [("received", "nightly", 3), ("delivered", "nightly", 3)], "records")


@test("a record that was changed in the store is found")
def changed(site):
    site_of(site)
    with sqlite3.connect(os.path.join(site.path, "data", "site.db")) as db:
        equal(db.execute("UPDATE audit SET line = replace(line, 'one.json', 'two.json') WHERE what = 'received'").rowcount, 1, "changed")
    said = verify(site, code=1)
    check("does not carry the hash of the one before" in said, said)


main()
