#!/usr/bin/env python3
"""Do the mappings of shipments that ship say in every form what the shipment says? Prints TAP.

Documents of tests/formats/shipments. What goes out is decoded again and judged by the grammar that ships (structure, codes,
balance), and mapped back: what is not the same then stands here, field by field."""
import json
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("FERRULE_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("FERRULE_BUILDDIR") or os.path.join(SOURCE, "build", "dev")
HERE = os.path.join(SOURCE, "tests", "formats", "shipments")
ENVIRONMENT = dict(os.environ, FERRULE_DATA=os.path.join(SOURCE, "config"))
CHECK = ["--set", "form=nested", "--set", "check=[structure, codes, balance]"]
number = failed = 0


def point(name, wrong):
    global number, failed
    number += 1
    failed += bool(wrong)
    print("%s %d - %s" % ("not ok" if wrong else "ok", number, name), flush=True)
    for line in str(wrong).splitlines()[:20] if wrong else ():
        print("# " + line)


def ferrule(text, *arguments):
    """What comes out, and what is said."""
    done = subprocess.run([os.path.join(BUILD, "ferrule"), *arguments], input=text.encode(errors="surrogateescape"), env=ENVIRONMENT,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return done.stdout.decode(errors="surrogateescape"), done.stderr.decode() + ("" if done.returncode in (0, 1) else "exit code %d" % done.returncode)


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def shipment(parties, **changes):
    made = json.loads(read("shipment.json").replace("SELLER", parties[0]).replace("BUYER", parties[1]))
    made.update(changes)
    return made


def differences(left, right, path=""):
    """Paths at which two documents are not the same."""
    if isinstance(left, dict) and isinstance(right, dict):
        return [d for key in sorted(set(left) | set(right)) for d in differences(left.get(key), right.get(key), path + "." + key)]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return [d for i, (a, b) in enumerate(zip(left, right)) for d in differences(a, b, "%s[%d]" % (path, i))]
    return [] if left == right else ["%s: %s became %s" % (path, json.dumps(left), json.dumps(right))]


class Way:
    """A form of a shipment: mapping and encoder out, decoder and mapping in."""

    def __init__(self, kind, out, back, parties, interchange="", group=""):
        self.kind, self.out, self.back, self.parties = kind, out, back, parties
        ids = [("14:%s" if kind == "edifact" else "ZZ:%s") % party.upper() for party in parties]
        self.envelope = '({interchange: {sender: "%s", receiver: "%s", control: "417"%s}%s})' % (
            *ids, interchange, ', group: {control: "417"%s}' % group if kind == "x12" else "")

    def write(self, body):
        mapped, said = ferrule(json.dumps(body), "map", self.out)
        return ("", said) if said else ferrule(mapped, "encode", self.kind, "--set", "envelope=" + self.envelope)

    def read(self, text):
        decoded, said = ferrule(text, "decode", self.kind, *CHECK)
        if said or not decoded:
            return None, said or "nothing was decoded"
        mapped, said = ferrule(decoded, "map", self.back)
        made = json.loads(mapped) if mapped else []
        _, wrong = ferrule("".join(json.dumps(one) + "\n" for one in made), "validate", "shipment/v1", "--formats", "on")
        return made, said + wrong

    def around(self, body):
        text, said = self.write(body)
        return (None, said, "") if said else self.read(text) + (text,)


GLN = ("4012345000009", "4054321000002")
DESADV = ("edifact", "shipment-to-edifact-desadv.jq", "edifact-desadv-to-shipment.jq", GLN)
ASN = ("x12", "shipment-to-x12-856.jq", "x12-856-to-shipment.jq", ("nordwind", "acme"))


def as_it_is(made):
    return made


def for_x12(made):
    """What an 856 makes of it: its own units, and no place for what is still to come."""
    made = json.loads(json.dumps(made).replace('"PCE"', '"PC"').replace('"KGM"', '"KG"'))
    for one in made:
        for line in one["despatchLine"]:
            line.pop("outstandingQuantity", None)
    return made


def for_later(made):
    for one in made:
        one.pop("extension")
    return made


def round_trips():
    for name, way, expected, more in (
            ("DESADV D.96A", Way(*DESADV), as_it_is, {}),
            ("DESADV D.01B", Way(*DESADV), for_later, {"extension": {"edifact": {"release": "01B"}}}),
            ("856, 004010", Way(*ASN), for_x12, {}),
            ("856, 005010", Way(*ASN, ', version: "00501"', ', version: "005010"'), for_x12, {})):
        body = shipment(way.parties, **more)
        got, said, text = way.around(body)
        point("%s is good, and says the same when it is read" % name, said or "\n".join(differences(expected([body]), got)))
        second = shipment(way.parties, orderReference={"id": "PO-4712", "system": way.parties[1]}, handlingUnit=[{"sscc": "340123450000000032"}], **more)
        second["despatchLine"] = [dict(second["despatchLine"][1], id="9", orderLine="7", handlingUnit="340123450000000032")]
        first = shipment(way.parties, handlingUnit=body["handlingUnit"], **more)
        got, said, text = way.around([first, second])
        point("%s has several orders in one notice" % name, said or "\n".join(differences(expected([first, second]), got)))
    bare = shipment(GLN, despatchLine=[{"id": "1", "deliveredQuantity": {"amount": "5", "unit": "PCE"}, "item": {"id": "NW-1", "system": GLN[0]}}])
    for key in ("orderReference", "handlingUnit", "shipTo", "contact", "carrier", "grossWeight", "deliveryTerms", "trackingNumber", "despatchDate", "expectedDeliveryDate"):
        bare.pop(key)
    bare["deliveryAddress"] = {}
    for name, way, expected in (("DESADV", Way(*DESADV), as_it_is), ("856", Way(*ASN), for_x12)):
        body = json.loads(json.dumps(bare).replace(GLN[0] + '"}', way.parties[0] + '"}')) if way.kind == "x12" else bare
        body["system"] = way.parties[0]
        got, said, text = way.around(body)
        point("%s of a shipment with the least in it" % name, said or "\n".join(differences(expected([body]), got)))


def levels():
    text, said = Way(*ASN).write(shipment(ASN[3]))
    found = re.findall(r"HL\*(\d+)\*(\d*)\*(\w)\*(\d)", text)
    point("levels lie within one another: shipment, order, pack, item", said or found != [
        ("1", "", "S", "1"), ("2", "1", "O", "1"), ("3", "2", "I", "0"), ("4", "2", "P", "1"), ("5", "4", "I", "0"), ("6", "4", "I", "0"),
        ("7", "2", "P", "1"), ("8", "7", "I", "0")] and found)
    point("and CTT counts them, and what was shipped", "CTT*8*33.5~" not in text and text)


def documents():
    got, said = Way(*DESADV).read(read("desadv.edi"))
    orders = [one["orderReference"]["id"] for one in got or []]
    point("an advice of two orders is two shipments", said or (orders != ["PO-4711", "PO-4712"] and orders))
    got = got or [{}, {}]
    point("of each its packages and lines", said or "\n".join(differences(
        [[{"sscc": "340123450000000018", "packageType": "CT"}], [{"sscc": "340123450000000018", "packageType": "CT"}, {"sscc": "340123450000000025", "packageType": "CT"}]],
        [one.get("handlingUnit") for one in got])))
    lines = [line for one in got for line in one.get("despatchLine", [])] + [{}] * 3
    point("what is still to come, lots and serial numbers", "\n".join(
        differences({"amount": "6", "unit": "PCE"}, lines[0].get("outstandingQuantity")) + differences("L2026-071", lines[0].get("lot"))
        + differences(None, lines[1].get("outstandingQuantity")) + differences({"amount": "2", "unit": "PCE"}, lines[2].get("outstandingQuantity"))
        + differences(["SN-1", "SN-2"], lines[2].get("serialNumber")) + differences("340123450000000025", lines[2].get("handlingUnit"))))
    got, said = Way(*DESADV).read(read("desadv.edi").replace("SN-1:SN-1", "SN-1:SN-9"))
    point("a range of numbers is refused", got or ("range of numbers" not in said and said))


def refused():
    for name, change, what in (("a unit without a code", {"deliveredQuantity": {"amount": "1", "unit": "XXX"}}, "has no code in X12"),
                               ("a product number that is too long", {"item": {"id": "N" * 49, "system": "nordwind"}}, "no room")):
        body = shipment(ASN[3])
        body["despatchLine"][0].update(change)
        text, said = Way(*ASN).write(body)
        point("856: %s is refused" % name, text or (what not in said and said))
    body = shipment(GLN, number="N" * 36)
    text, said = Way(*DESADV).write(body)
    point("DESADV: a number that is too long is refused", text or ("longer than the 35" not in said and said))
    text, said = Way(*ASN).write([shipment(ASN[3]), shipment(ASN[3], number="SH-2")])
    point("shipments of two numbers are no one notice", text or ("several numbers" not in said and said))


SITE = "name: shipments\n"
FLOW = """flow: shipments-out
owner: sales
from: {file: 'in/*.json'}
steps:
  - decode: json
  - validate: shipment/v1
  - map: %s
  - encode: {format: %s, envelope: '{interchange: {sender: "14:1", receiver: "14:2", control: "417"}%s}'}
publish: document.made.v1
---
flow: documents-out
owner: sales
subscribe: document.made.v1
to: {file: 'out/$($envelope.name)'}
effect: rename
"""


def in_a_site():
    for kind, mapping, group in (("edifact", DESADV[1], ""), ("x12", ASN[1], ", group: {control: \"417\"}")):
        with tempfile.TemporaryDirectory(prefix="ferrule-shipments-") as site:
            for folder in ("flows", "in", "out"):
                os.mkdir(os.path.join(site, folder))
            for path, text in (("site.yaml", SITE), ("flows/all.yaml", FLOW % (mapping, kind, group))):
                with open(os.path.join(site, path), "w", encoding="utf-8") as file:
                    file.write(text)
            out, said = ferrule("", "check", site)
            point("a site may name %s without having it" % mapping, "no errors" not in out or ("warning" in out + said and out + said))


round_trips()
levels()
documents()
refused()
in_a_site()
print("1..%d" % number)
sys.exit(failed > 0)
