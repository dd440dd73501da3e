#!/usr/bin/env python3
"""Do the mappings that ship make of realistic documents what they should? Prints TAP.

For each case: a document of tests/formats/documents is decoded and mapped by hand, the result must be valid against its
contract and the same as tests/formats/mappings/CASE.json. Then a site that names grammar and mapping, and has neither,
checks clean and does the same in a flow."""
import json
import os
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("FERRULE_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("FERRULE_BUILDDIR") or os.path.join(SOURCE, "build", "dev")
DOCUMENTS = os.path.join(SOURCE, "tests", "formats", "documents")
EXPECTED = os.path.join(SOURCE, "tests", "formats", "mappings")
ENVIRONMENT = dict(os.environ, FERRULE_DATA=os.path.join(SOURCE, "config"))

SPLIT = "split: {by: '.[]', id: [.orderReference.id]}"

# name, format, document, grammar, contract, the step behind the mapping that gives a message for each element
CASES = [
    ("x12-850-to-order", "x12", "x12-004010-850.edi", "x12-004010-850.yaml", "order/v1", None),
    ("x12-810-to-invoice", "x12", "x12-004010-810.edi", "x12-004010-810.yaml", "invoice/v1", None),
    ("edifact-invoic-to-invoice", "edifact", "edifact-d01b-invoic.edi", "edifact-d01b-invoic.yaml", "invoice/v1", None),
    ("edifact-desadv-to-shipment", "edifact", "edifact-d96a-desadv.edi", "edifact-d96a-desadv.yaml", "shipment/v1", SPLIT),
    ("x12-856-to-shipment", "x12", "x12-004010-856.edi", "x12-004010-856.yaml", "shipment/v1", SPLIT),
    ("edifact-orders-to-order", "edifact", "edifact-d96a-orders.edi", "edifact-d96a-orders.yaml", "order/v1", None),
]

SITE = "name: mappings\n"
FLOW = """flow: documents-in
owner: sales
from: {{file: 'in/*'}}
steps:
  - decode: {{format: {format}, form: nested, grammars: [{grammar}], check: [structure, codes, balance]}}
  - map: {mapping}
{split}  - validate: {contract}
publish: document.received.v1
---
flow: documents-out
owner: sales
subscribe: document.received.v1
to: {{file: 'out/$(.number).json'}}
effect: rename
"""
TEST = """test: what ships does it
flow: documents-in
input: tests/{path}
published:
  - topic: document.received.v1
    contract: {contract}
    body: {body}
"""


def ferrule(*arguments, **more):
    return subprocess.run([os.path.join(BUILD, "ferrule"), *arguments], env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, **more)


def by_hand(case):
    name, kind, document, _, contract, split = case
    decoded = ferrule("decode", kind, "--set", "form=nested", os.path.join(DOCUMENTS, document))
    if decoded.returncode or decoded.stderr:
        return None, "decode: " + decoded.stderr
    mapped = ferrule("map", name + ".jq", *([] if split else ["--contract", contract]), input=decoded.stdout)
    if mapped.returncode or mapped.stderr:
        return None, "map: " + mapped.stderr
    made = json.loads(mapped.stdout)
    for part in made if split else []:
        valid = ferrule("validate", contract, input=json.dumps(part))
        if valid.returncode:
            return None, "validate: " + valid.stderr
    return made, ""


def in_a_site(case, expected):
    name, kind, document, grammar, contract, split = case
    with tempfile.TemporaryDirectory(prefix="ferrule-mappings-") as site:
        for folder in ("flows", "tests", "in", "out"):
            os.mkdir(os.path.join(site, folder))
        with open(os.path.join(DOCUMENTS, document), "rb") as source, open(os.path.join(site, "tests", document), "wb") as copy:
            copy.write(source.read())
        for path, text in (("site.yaml", SITE),
                           ("flows/all.yaml", FLOW.format(format=kind, grammar=grammar, mapping=name + ".jq", contract=contract,
                                                          split="  - %s\n" % split if split else "")),
                           ("tests/all.yaml", TEST.format(path=document, contract=contract, body=json.dumps(expected[0] if split else expected)))):
            with open(os.path.join(site, path), "w", encoding="utf-8") as file:
                file.write(text)
        check = ferrule("check", site)
        if check.returncode or "warning" in check.stdout + check.stderr:
            return "check: " + check.stdout + check.stderr
        test = ferrule("test", site)
        return "test: " + test.stdout + test.stderr if test.returncode else ""


def main():
    number = failed = 0

    def result(good, name, why=""):
        nonlocal number, failed
        number += 1
        failed += not good
        print("%sok %d - %s" % ("" if good else "not ", number, name), flush=True)
        for line in why.splitlines()[:30] if not good else []:
            print("# " + line)

    for case in CASES:
        with open(os.path.join(EXPECTED, case[0] + ".json"), encoding="utf-8") as file:
            expected = json.load(file)
        got, why = by_hand(case)
        if got is not None and got != expected:
            why = "expected %s\ngot      %s" % (json.dumps(expected), json.dumps(got))
        result(got == expected, "%s makes a valid %s of a realistic document" % (case[0], case[4]), why)
        why = in_a_site(case, expected)
        result(not why, "%s and its grammar are found by their names in a site that has neither" % case[0], why)
    print("1..%d" % number)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
