#!/usr/bin/env python3
"""ferrule test --record: a test from what really went through, without the people in it."""
import glob
import json
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import check, equal, main, read, test  # noqa: E402

CONTRACT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Person", "x-ferrule-keys": [".number"], "type": "object",
    "required": ["number", "name"], "additionalProperties": False,
    "properties": {"number": {"type": "string"}, "role": {"type": "string"},
                   "name": {"type": "string", "x-ferrule-personal": True},
                   "mail": {"type": "string", "pattern": "^[^@]+@[^@]+$", "x-ferrule-personal": True},
                   "code": {"type": "string", "enum": ["RED-1", "BLUE-2"], "x-ferrule-personal": False}}}
FLOW = """
flow: people
owner: tests
from: {file: 'in/*', after: archive, age: 0s, interval: 100ms}
steps:
  - decode: json
  - split: {by: '.[]', id: [.number]}
  - map: person.jq
  - validate: person/v1
publish: person.v1
"""
OUT = """
flow: desk
owner: tests
subscribe: person.v1
steps: [{encode: {format: csv, rows: '[.]', columns: [{number: .number}, {name: .name}, {mail: .mail}]}}]
to: {file: 'desk/$(.number).csv', exists: refuse, create: yes}
effect: rename
"""


def people(site, contract=None):
    site.flow(FLOW)
    site.flow(OUT)
    site.write("canonical/person/v1.schema.json", json.dumps(contract or CONTRACT))
    site.write("mappings/person.jq", "{number, name, role, mail: (.mail | ascii_downcase), code} | with_entries(select(.value))\n")


def record(site, *words, code=0):
    got, out, err = site.type("test", "--record", *words)
    equal(got, code, f"ferrule test --record {' '.join(words)}: {out} {err}")
    return out + err


def words_of(path):
    return re.findall(r"[A-Za-z]+", read(path).decode())


@test("what went through becomes a test that passes, with its people masked in the input and in all that came of it")
def records(site):
    people(site)
    site.drop("in/batch.json", [{"number": "P-1", "name": "Dana Whitfield", "role": "buyer", "mail": "Dana.W@Acme.Example"},
                                {"number": "P-2", "name": "Zo\u00e9 Quill", "role": "clerk", "mail": "zq@acme.example"}])
    site.run_until_idle()
    said = record(site, "batch.json")
    check("it passes" in said and "Masked: 4 personal values" in said, said)
    everything = read(site.at("tests/batch.yaml")).decode() + read(site.at("tests/files/batch.json")).decode()
    for name in ("Dana", "Whitfield", "Quill", "Zo\u00e9", "u00e9 Quill", "acme", "Acme.Example", "dana.w"):
        check(name not in everything, name, "is still there:\n", everything)
    for kept in ("P-1", "P-2", "buyer", "clerk", "desk/P-1.csv"):
        check(kept in everything, kept, "is gone:\n", everything)
    equal(len(read(site.at("tests/files/batch.json"))), len(read(glob.glob(site.at("in", "archive", "*", "batch.json"))[0])),
          "the length of the input")
    told = json.loads(read(site.at("tests/files/batch.json")))
    check(told[0]["mail"].lower() in everything.replace(read(site.at("tests/files/batch.json")).decode(), ""),
          "the same stand-in came out:", everything)
    code, out, err = site.type("test")
    check(code == 0 and "1 ok, 0 failed" in out, out, err)
    site.write("mappings/person.jq", "{number, name: \"X\"}\n")
    equal(site.type("test")[0], 1, "the test can fail")


@test("a key of one part of a document records what came of that part; masks all of the document")
def part(site):
    people(site)
    site.drop("in/batch.json", [{"number": f"P-{n}", "name": f"Person{'abcdefgh'[n]} Surname", "mail": f"p{n}long@acme.example"}
                                for n in range(1, 6)])
    site.run_until_idle()
    record(site, "P-3")
    text = read(site.at("tests/p-3.yaml")).decode()
    check("part: '3'" in text and "P-3" in text and "P-2" not in text, text)
    check("Surname" not in read(site.at("tests/files/p-3.json")).decode(), read(site.at("tests/files/p-3.json")))
    equal(site.type("test")[0], 0, "it passes")


@test("X12: the sample's orders, refused ones too, and a key that nobody knows")
def sample(site):
    shutil.rmtree(site.path)
    equal(site.type("init", site.path, "--template", "order-to-cash", cwd=site.root)[0], 0, "init")
    shutil.rmtree(site.at("tests"))
    site.drop("drop/acme/b.edi", read(site.at("input/acme/20260303-acme-0004.edi")))
    os.environ["ACME_AGE"], os.environ["LISTEN_PORT"] = "0s", "0"
    site.type("run", "--for", "4s")
    said = record(site, "PO-4757")
    edi = read(site.at("tests/files/po-4757.edi")).decode()
    before = read(site.at("input/acme/20260303-acme-0004.edi")).decode()
    equal([len(e) for e in edi.split("*")], [len(e) for e in before.split("*")], "elements keep their lengths")
    check("DANA" not in edi and "ORDERS@" not in edi and "5035550142" not in edi, edi)
    check("PO-4757" in edi and "HP-2063" in edi and "x12" not in edi, edi)
    check("what was refused reached no contract" in said, said)
    equal(site.type("test")[0], 0, "it passes")
    check("nothing that was received here has `PO-0`" in record(site, "PO-0", code=1), "unknown")
    check("is there already" in record(site, "PO-4757", code=1), "again")


@test("today's configuration is what is recorded, and it is said where that differs from what happened")
def differs(site):
    people(site)
    site.drop("in/one.json", [{"number": "P-1", "name": "Dana Whitfield", "mail": "d@acme.example"}])
    site.run_until_idle()
    site.write("mappings/person.jq", "{number, name, role: \"new\", mail}\n")
    site.flow(OUT.replace("{name: .name}", "{name: .role}"))
    said = record(site, "P-1")
    check("delivers other bytes to desk than went there then" in said, said)
    check("# Mind: today's configuration delivers other bytes" in read(site.at("tests/p-1.yaml")).decode(), said)


@test("where a stand-in does not fit the contract nothing is written")
def unfit(site):
    contract = json.loads(json.dumps(CONTRACT))
    contract["properties"]["code"]["x-ferrule-personal"] = True
    people(site, contract)
    site.drop("in/one.json", [{"number": "P-1", "name": "Dana Whitfield", "mail": "d@acme.example", "code": "RED-1"}])
    site.run_until_idle()
    said = record(site, "P-1", code=1)
    check("goes another way than before" in said and not os.path.exists(site.at("tests/p-1.yaml")), said)


@test("who is in a part that was refused, or in what only went out as another form, is masked as well")
def unpublished(site):
    people(site)
    site.flow(FLOW.replace("flow: people", "flow: direct").replace("in/*", "direct/*").replace("publish: person.v1", "")
              + "  - encode: {format: csv, rows: '[.]', columns: [{number: .number}, {name: .name}]}\n"
              "to: {file: 'desk/d-$(.number).csv', exists: refuse, create: yes}\neffect: rename\n")
    os.makedirs(site.at("in"))
    site.drop("direct/two.json", [{"number": "P-1", "name": "Dana Whitfield", "mail": "d.whitfield@acme.example"},
                                  {"number": "P-2", "name": "Jo Harbinger", "mail": "no address"}])
    site.run_until_idle()
    said = record(site, "two.json")
    everything = read(site.at("tests/two.yaml")).decode() + read(site.at("tests/files/two.json")).decode()
    check("Masked: 4" in said, said)
    for name in ("Dana", "Whitfield", "Harbinger", "whitfield", "no address"):
        check(name not in everything, name, "is still there:\n", everything)
    check("desk/d-P-1.csv" in everything, everything)


@test("what is too much for a test is told, and one part of it can be recorded")
def large(site):
    people(site)
    os.remove(site.at("flows/desk.yaml"))
    site.drop("in/batch.json", [{"number": f"P-{n}", "name": f"Person {'x' * 800} Surname{n}", "mail": "a@b.example"} for n in range(1500)])
    site.run_until_idle()
    check("name a business key of one part" in record(site, "batch.json", code=1) and not os.path.exists(site.at("tests")), "written")
    record(site, "P-77")
    check("Surname77" not in read(site.at("tests/p-77.yaml")).decode(), read(site.at("tests/p-77.yaml")))


@test("whatever is in a document, the test that is written is YAML and says the same")
def odd_texts(site):
    texts = ["*abc-de-fg", "&abc-de-fg", "!abc-de-fg", "|abc-de-fg", "%abc-de-fg", "@abc-de-fg", "#abc-de-fg", "?abc-de-fg", "2026-03-02",
             "a\u2028b", "a\u0085b", "a\u2029\nb", "\ufeffx", "x\u007fy", "\u0080", "\ufffe", "\n", "a\n\n", "  a\nb", " ", "", "-", "--- a", "...",
             "a: b", "a:", "a #b", "yes", "~", "1.50", "1e5", ".5", ".inf", "a\tb", "'", '"', "\\", "{a", "a]", "=", "<<", "a\r\nb", "a\n---\nb",
             "key: |\n  a", "a\n#b\n", "a\n ", "${A}", "$(.x)", "? a", ":a", "\u00a0", "\U0001f600"]
    site.flow("flow: odd\nowner: tests\nfrom: {file: 'in/*', after: archive, age: 0s, interval: 100ms}\n"
              "steps: [decode: json]\npublish: odd.v1\n")
    site.flow("flow: sub\nowner: tests\nsubscribe: odd.v1\nsteps: [encode: json]\nto: {file: 'out/$($envelope.id)', exists: refuse, create: yes}\n"
              "effect: rename\n")
    site.drop("in/odd.json", {"list": texts, "map": {text or "empty": n for n, text in enumerate(texts)}, "deep": [[[texts, {}], []], {"a": [{}]}],
                              "numbers": [1, 1.0, 1e22, -0.5, 1e-7, 12345678901234567, None, True]})
    site.run_until_idle()
    check("it passes" in record(site, "odd.json"), "recorded")
    equal(site.type("test")[0], 0, "the test")


@test("with no contract that marks anything, that is said")
def unmarked(site):
    contract = json.loads(json.dumps(CONTRACT).replace('"x-ferrule-personal": true', '"x-ferrule-personal": false'))
    people(site, contract)
    site.drop("in/one.json", [{"number": "P-1", "name": "Dana Whitfield", "mail": "d@acme.example"}])
    site.run_until_idle()
    check("Nothing was masked" in record(site, "P-1"), "said")


main()
