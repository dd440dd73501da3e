#!/usr/bin/env python3
"""Do the mappings of orders that ship say in every form what the order says, and refuse what is none? Prints TAP.

Documents of tests/formats/orders and tests/formats/documents. What goes out is decoded again and judged by the grammar
that ships (structure, codes, balance), and mapped back: what is not the same then stands here, field by field."""
import difflib
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("FERRULE_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("FERRULE_BUILDDIR") or os.path.join(SOURCE, "build", "dev")
HERE = os.path.join(SOURCE, "tests", "formats", "orders")
DOCUMENTS = os.path.join(SOURCE, "tests", "formats", "documents")
MAPPINGS = os.path.join(SOURCE, "config", "mappings")
ENVIRONMENT = dict(os.environ, FERRULE_DATA=os.path.join(SOURCE, "config"))
SHARED = os.path.join(os.environ.get("FERRULE_SHARED") or os.path.join(SOURCE, "..", "shared"), "data")
IDOC = ["--set", "layouts=ORDERS05.yaml"]
CHECK = ["--set", "form=nested", "--set", "check=[structure, codes, balance]"]
ENVELOPE = '({interchange: {sender: "ZZ:ACME", receiver: "ZZ:NORDWIND", control: "000000417"%s}, group: {control: "417"%s}})'
CONTROL = '.control += {SNDPOR: "FER", SNDPRT: "KU", SNDPRN: "ACME", RCVPOR: "SAPERP", RCVPRT: "LS", RCVPRN: "NORDWIND", DOCNUM: "0000000000004711"}'
number = failed = 0


def point(name, wrong):
    global number, failed
    number += 1
    failed += bool(wrong)
    print("%s %d - %s" % ("not ok" if wrong else "ok", number, name), flush=True)
    for line in str(wrong).splitlines() if wrong else ():
        print("# " + line)


def ferrule(text, *arguments):
    """What comes out, and what is said."""
    done = subprocess.run([os.path.join(BUILD, "ferrule"), *arguments], input=text, env=ENVIRONMENT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, errors="surrogateescape", timeout=60)
    return done.stdout, done.stderr + ("" if done.returncode in (0, 1) else "exit code %d" % done.returncode)


def read(name, folder=HERE):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return file.read()


def order(**changes):
    made = json.loads(read("order.json"))
    made.update(changes)
    return made


def mapped(mapping, text, *more):
    if mapping.endswith(".jq"):
        return ferrule(text, "map", os.path.join(MAPPINGS, mapping), *more)
    with tempfile.NamedTemporaryFile("w", suffix=".jq") as file:
        file.write(mapping)
        file.flush()
        return ferrule(text, "map", file.name, *more)


def to_order(mapping, decoder, text):
    """(order or None, what is said): decoded, mapped, valid."""
    lines, said = ferrule(text, "decode", *decoder)
    made, more = mapped(mapping, lines, "--contract", "order/v1")
    return json.loads(made) if made.strip() else None, said + more


def differs(got, wanted, path=""):
    """What is not the same, a line each."""
    if isinstance(got, dict) and isinstance(wanted, dict):
        return "".join(differs(got.get(key), wanted.get(key), path + "." + key) for key in sorted(set(got) | set(wanted)))
    if isinstance(got, list) and isinstance(wanted, list) and len(got) == len(wanted):
        return "".join(differs(a, b, "%s[%d]" % (path, i)) for i, (a, b) in enumerate(zip(got, wanted)))
    return "" if got == wanted else "%s: %s, not %s\n" % (path or ".", json.dumps(got), json.dumps(wanted))


def refused(said, *words):
    return "" if all(word in said for word in words) else "it says: " + said


def golden(text, name, end):
    """As tests/formats/orders/NAME says it; lines end there where parts do, for people. FERRULE_GOLDEN=write keeps what came."""
    lines = "".join(line.rstrip() + "\n" for line in text.replace(end, end.rstrip() + "\n").splitlines())
    path = os.path.join(HERE, name)
    if os.environ.get("FERRULE_GOLDEN") == "write":
        with open(path, "w", encoding="utf-8") as file:
            file.write(lines)
    wanted = read(name) if os.path.exists(path) else ""
    return "" if lines == wanted else "\n".join(difflib.unified_diff(wanted.splitlines(), lines.splitlines(), name, "what came", lineterm=""))


# ---- forms that come in
def from_edifact():
    whole = read("edifact-d96a-orders.edi", DOCUMENTS)
    for name, old, new, words in (
            ("a cancellation", "PO-4711+9'", "PO-4711+1'", ("PO-4711 is a cancellation",)), ("a duplicate", "PO-4711+9'", "PO-4711+7'", ("PO-4711 is a duplicate",)),
            ("one without a currency", "CUX+2:EUR:9'\n", "", ("no currency",)), ("one with a line without a price", "PRI+AAA:32.00'\n", "", ("line 2 has no price",)),
            ("a price in another unit than the quantity", "NTP:1:PCE", "NTP:1:KGM", ("line 1", "KGM"))):
        got, said = to_order("edifact-orders-to-order.jq", ["edifact", "--set", "form=nested"], count(whole.replace(old, new)))
        point("ORDERS: refused is " + name, old not in whole and "not in the document" or got or refused(said, *words))
    got, said = to_order("edifact-orders-to-order.jq", ["edifact", "--set", "form=nested"],
                         count(whole.replace("18.40:CT:NTP:1:", "1840:CT:NTP:100:").replace("MOA+203:441.60", "MOA+203:400").replace("MOA+86:", "MOA+79:7")))
    point("ORDERS: a price for a hundred is a price of one, and what the document states otherwise is told", not got and said
          or differs(got["orderItem"][0]["price"]["amount"], "18.40") + differs(got["orderItem"][0]["total"]["amount"], "441.60")
          + differs(got["note"][1:], ["Line 1: The document states 400.00 EUR", "Line 2: 10 PCE at 4054321000118 on 2026-03-23",
                                      "The document states a total of 7761.60 EUR"]))
    got, said = to_order("edifact-orders-to-order.jq", ["edifact", "--set", "form=nested"], count(whole.replace("CUX+2:EUR:9'\n", "").replace("441.60'", "441.60:CHF'")))
    point("ORDERS: where there is no CUX, an amount says the currency", not got and said or differs(got["total"]["currency"], "CHF"))
    got, said = to_order("edifact-orders-to-order.jq", ["edifact", "--set", "form=nested"], read("edifact-d01b-orders.edi", DOCUMENTS))
    point("ORDERS of D.01B has its number and its region at other places", said or differs(got["number"], "PO-4712")
          + differs(got["customer"]["address"]["stateOrProvince"], "SH"))


def count(text):
    """UNT says how many segments there are."""
    body = text[text.index("UNH+"):text.index("UNT+")]
    return re.sub(r"UNT\+\d+", "UNT+%d" % (body.count("'\n") + 1), text)


def edi850(*changes):
    text = read("x12-004010-850.edi", DOCUMENTS)
    for old, new in changes:
        if old not in text:
            raise ValueError("`%s` is not in the document" % old)
        text = text.replace(old, new)
    body = text[text.index("ST*"):text.index("SE*")]
    return re.sub(r"SE\*\d+", "SE*%d" % (body.count("\n") + 1), text)


def from_x12():
    read_it = lambda *changes: to_order("x12-850-to-order.jq", ["x12", "--set", "form=nested"], edi850(*changes))  # noqa: E731
    for purpose, words in (("01", "a cancellation"), ("04", "a change"), ("05", "a replacement"), ("07", "a duplicate")):
        got, said = read_it(("BEG*00", "BEG*" + purpose))
        point("an 850 that is %s is no new order" % words, got or refused(said, "PO-4711 is " + words))
    got, said = read_it(("18.40*PE", "1840*HP"), ("CTT*2*34~\nAMT*TT*761.60~\n", "CTT*2*34~\nAMT*TT*700~\n"))
    point("a price per hundred is a price of one", not got and said or differs(got["orderItem"][0]["price"]["amount"], "18.40")
          + differs(got["orderItem"][0]["total"]["amount"], "441.60"))
    point("a total that the lines do not come to is told in a note", not got or differs(got["total"]["amount"], "761.60")
          + ("" if "The document states a total of 700 USD" in got["note"] else str(got["note"])))
    got, said = read_it(("18.40*PE", "18.40*PP"))
    point("a price for another unit than the quantity is refused", got or refused(said, "line 1", "LB"))
    got, said = read_it(("PO1*2*10*CA*32.00*", "PO1*2*10*CA**"))
    point("a line without a price is refused, by its number", got or refused(said, "line 2 has no price"))
    got, said = read_it(("PO1*1*24*", "PO1*1*.5*"), ("CUR*BY*USD", "CUR*BY*KWD"), ("CUR*BY*KWD~\n", "CUR*BY*KWD~\n"), ("18.40", "18.4567"), ("34~", "10.5~"))
    point("decimals are written with their zero, and a currency of three decimals has three", not got and said
          or differs(got["orderItem"][0]["quantity"]["amount"], "0.5") + differs(got["orderItem"][0]["total"]["amount"], "9.228"))
    got, said = read_it(("PO1*2*10*CA*32.00*", "PO1*2*10*CA*123456789012.3456*"))
    point("a number that a double does not hold is refused", got or refused(said, "more than 15 digits"))
    got, said = read_it(("ISA*00*          *00*          *ZZ*NORDWINDFOODS  ", "ISA*00*          *00*          *ZZ*NORDWINDFOOD\u00a0 \u00a0"))
    point("blanks of any kind behind the sender's name are no part of it", said or differs(got["system"], "nordwindfood"))
    got, said = to_order("x12-850-to-order.jq", ["x12"], edi850())
    point("a document that is not in the nested form is refused in these words", got or refused(said, "not in the nested form"))
    got, said = read_it(("DTM*002*20260316", "DTM*074*20260316"), ("SCH*6*CA***002*20260316~\nSCH*4*CA***002*20260323~\n", "DTM*002*20260316~\n"))
    point("a line's day that is the order's is not told again", not got and said or differs(got["requestedDeliveryDate"], "2026-03-16")
          + differs(got["orderItem"][1].get("requestedDeliveryDate"), None))
    got, said = read_it(("DTM*001", "TXI*ST*63.97*8.4~\nN9*ZZ*X~\nMSG*first~\nMSG*second~\nDTM*001"), ("PO1*2", "N9*ZZ*L~\nMSG*Print the logo~\nPO1*2"))
    point("taxes stand beside the total, texts of a line say which line", not got and said
          or differs(got.get("charge"), [{"kind": "tax", "code": "ST", "percent": "8.4", "amount": {"amount": "63.97", "currency": "USD"}}])
          + ("" if "first second" in got["note"] and "Line 1: Print the logo" in got["note"] else str(got["note"])))


def from_idoc():
    text = read("orders05.xml")
    decoder = ["idoc", *IDOC]
    got, said = to_order("idoc-orders-to-order.jq", decoder, text)
    point("an IDoc ORDERS05 is a valid order", said or differs(got, json.loads(read("idoc-orders-to-order.json"))))
    lines, _ = ferrule(text, "decode", *decoder)
    flat, said = ferrule(lines, "encode", "idoc", *IDOC)
    flat, more = to_order("idoc-orders-to-order.jq", decoder, flat)
    point("the same IDoc as a flat file is the same order", said + more or differs(flat, got))
    for name, old, new, words in (
            ("a change (ORDCHG) is no new order", "<MESTYP>ORDERS", "<MESTYP>ORDCHG", ("ORDCHG is no new order",)),
            ("a line that is deleted is refused", "<POSEX>00020</POSEX>", "<POSEX>00020</POSEX><ACTION>003</ACTION>", ("line 20", "deleted")),
            ("a price in another unit than the quantity is refused", "<PMENE>PCE</PMENE><VPREI>12", "<PMENE>KGM</PMENE><VPREI>12", ("line 20", "KGM")),
            ("a price for three pieces has no decimals", "<PEINH>100<", "<PEINH>3<", ("line 20", "no decimal price")),
            ("an order without a currency is refused", "<CURCY>EUR</CURCY>", "", ("no currency",)),
            ("a line without a product is refused", "<IDTNR>000000000000077002</IDTNR>", "", ("line 20 names no product",)),
            ("who sent it must be known", "<SNDPRN>ACMEP01</SNDPRN>", "", ("SNDPRN",))):
        got, said = to_order("idoc-orders-to-order.jq", decoder, text.replace(old, new, 1))
        point("IDoc: " + name, text.count(old) < 1 and "not in the document" or got or refused(said, *words))


def from_cxml():
    text = read("order-request.xml")
    decoder = ["xml", "--set", "names=local"]
    got, said = to_order("cxml-order-to-order.jq", decoder, text)
    point("a cXML OrderRequest is a valid order", said or differs(got, json.loads(read("cxml-order-to-order.json"))))
    point("the shared secret is in no order", "not-for-anybody" in json.dumps(got))
    got, said = to_order("cxml-order-to-order.jq", decoder, text.replace("<Identity>AN01000004711</Identity>", "").replace("2,793.10", "2800.00"))
    point("cXML: without a NetworkID the DUNS number says who ordered; another total is told in a note", not got and said
          or differs(got["system"], "150483782") + ("" if "The document states a total of 2800.00 USD" in got["note"] else str(got["note"])))
    got, said = to_order("cxml-order-to-order.jq", decoder, text.replace('PriceBasisQuantity quantity="100"', 'PriceBasisQuantity quantity="12"'))
    point("cXML: a price by the dozen is rounded at the sixth decimal, the line once", not got and said
          or differs(got["orderItem"][1]["price"]["amount"], "39.191667") + differs(got["orderItem"][1]["total"]["amount"], "19595.83"))
    for name, old, new, words in (
            ("an update is no new order", 'type="new"', 'type="update"', ("PO-4711 is of type update",)),
            ("a line in another currency is refused", '<UnitPrice><Money currency="USD">470', '<UnitPrice><Money currency="EUR">470', ("line 2 is in EUR",)),
            ("a line without a quantity is refused", 'quantity="24" ', "", ("line 1 has no quantity",)),
            ("another request is refused", "OrderRequest", "StatusUpdateRequest", ("no OrderRequest",))):
        got, said = to_order("cxml-order-to-order.jq", decoder, text.replace(old, new))
        point("cXML: " + name, text.count(old) < 1 and "not in the document" or got or refused(said, *words))


# ---- forms that go out
def x12(mapping, given, version="004010"):
    """(document, what is said) of an order, or of what else the mapping takes."""
    lines, said = mapped(mapping, json.dumps(given))
    envelope = ENVELOPE % (("", "") if version == "004010" else (', version: "00501"', ', version: "005010"'))
    text, more = ferrule(lines, "encode", "x12", "--set", "envelope=" + envelope)
    return text, said + more


def to_x12():
    for version in ("004010", "005010"):
        text, said = x12("order-to-x12-850.jq", order(), version)
        got, more = to_order("x12-850-to-order.jq", ["x12", *CHECK], text)
        point("an order as 850 in %s is what the grammar says, and the same order when it is read" % version, said + more or differs(got, order()))
    text, said = x12("order-to-x12-850.jq", order())
    point("an 850 is, segment by segment, what it was", said or golden(text, "order.850", "~"))
    point("an 850 names numbers by who gave them, and counts", [part for part in (
        "BEG*00*SA*PO-20931**20260302*C-2025-18~", "N1*BY*Acme Retail Aktiengesellschaft*92*0001~", "N1*BT*Acme Shared Services*91*C-77~",
        "N1*ST*Acme Retail Store 118*UL*4054321000118~", "N4*Muenchen**80331*DE*SP*Bayern~", "*VP*NW-1001*BP*77001*UP*012345678905~", "*EN*4054321000910~",
        "SAC*C*D240***4500**********Freight~", "CTT*3*37.5~AMT*TT*2443.19~") if part not in text])
    text, said = x12("order-to-x12-850.jq", order(note=["two\nlines\tand " + "word " * 80]))
    point("850: a line end in a text is a blank, and a long text goes on in another MSG", said or "MSG*two lines and word " not in text or text.count("MSG*") != 2)
    lines = order()["orderItem"]
    many = order(orderItem=[dict(lines[0], id=str(i)) for i in range(1000)], total={"amount": "441600.00", "currency": "USD"})
    got, said = to_order("x12-850-to-order.jq", ["x12", *CHECK], x12("order-to-x12-850.jq", many)[0])
    point("850: a thousand lines are no matter", said or differs(got, many))
    wrong = lambda **line: order(orderItem=[dict(lines[0], **line)] + lines[1:])  # noqa: E731
    for name, given, words in (
            ("without control numbers it is not written", None, ("control",)),
            ("a number that has no room is refused", order(number="PO-" + "1" * 20), ("the order's number", "22")),
            ("a line in another currency is refused", wrong(price={"amount": "18.40", "currency": "EUR"}), ("line 1 is not in USD",)),
            ("a line that is not quantity times price is refused", wrong(total={"amount": "430.56", "currency": "USD"}), ("line 1", "441.60, not 430.56")),
            ("a charge of three decimals is refused", wrong(charge=[{"kind": "charge", "amount": {"amount": "1.125", "currency": "USD"}}]), ("1.125", "two decimals")),
            ("a unit that X12 has no code for is refused", wrong(quantity={"amount": "24", "unit": "XYZ"}), ("unit `XYZ`",))):
        if given:
            _, said = x12("order-to-x12-850.jq", given)
        else:
            _, said = ferrule(mapped("order-to-x12-850.jq", json.dumps(order()))[0], "encode", "x12")
        point("850: " + name, refused(said, *words))


# What an IDoc has no place for, and how it reads then.
LOST = """.billTo.system: "acme", not "nordwind"
.contact.email: null, not "mira.holm@acme.example"
.customer.address.stateOrProvince: null, not "Bayern"
.shipTo.address.street: ["1180 Harbour Road", "Dock 4, Gate B"], not ["1180 Harbour Road", "Dock 4", "Gate B"]
"""


def to_idoc():
    lines, said = mapped("order-to-idoc-orders.jq", json.dumps(order()))
    lines, more = mapped(CONTROL, lines)
    for form in ("flat", "xml"):
        text, most = ferrule(lines, "encode", "idoc", *IDOC, "--set", "form=" + form)
        got, last = to_order("idoc-orders-to-order.jq", ["idoc", *IDOC, "--set", "unknown=reject"], text)
        point("an order as IDoc (%s) has all but what it has no place for" % form, said + more + most + last or
              (differs(got, order()) != LOST and differs(got, order())))
        if form == "flat":
            point("an IDoc is, record by record, what it was", golden(text, "order.idoc", "\n"))
    made = json.loads(lines)
    point("a price of four decimals is told for a hundred", differs([made["data"]["E1EDP01"][1][name] for name in ("VPREI", "PEINH", "NETWR")], ["12.75", "100", "1.59"]))
    _, said = mapped("order-to-idoc-orders.jq", json.dumps(order(customer={"id": "x" * 18, "system": "acme"})))
    point("IDoc: a number of a party that has no room is refused", refused(said, "17 characters"))


def to_edifact():
    kept = order()
    lost = [item.pop("code") for item in kept["orderItem"][0]["charge"] + kept["charge"][:1]]
    for release in ("96A", "01B"):
        lines, said = mapped("order-to-edifact-orders.jq", json.dumps(order()))
        text, more = ferrule(lines, "encode", "edifact", "--set", 'envelope=({interchange: {sender: "14:acme", receiver: "14:nordwind", control: "417"}, '
                             'transaction: {release: "%s"}})' % release)
        got, most = to_order("edifact-orders-to-order.jq", ["edifact", *CHECK], text)
        point("an order as ORDERS of %s is what the grammar says, and the same order but for codes of charges (%s)" % (release, ", ".join(lost)),
              said + more + most or differs(got, kept))
    point("ORDERS is, segment by segment, what it was", golden(text, "order.edifact", "'"))
    point("ORDERS names numbers by who gave them", [part for part in (
        "NAD+BY+0001::92++Acme", "NAD+IV+C-77::91++", "NAD+DP+4054321000118::9++", "LIN+1++012345678905:UP'PIA+1+NW-1001:SA::91+77001:IN::92'",
        "LIN+2'PIA+5+NW-2:SA::91'", "COM+?+49 89 555 0142:TE'", "CNT+2:3'") if part not in text])
    _, said = mapped("order-to-edifact-orders.jq", json.dumps(order(orderItem=[dict(order()["orderItem"][0], id="1234567")])))
    point("ORDERS: a line's number that has no room is refused", refused(said, "the line's number", "6 characters"))


def answer(lines=None, **changes):
    """The order, and what the seller made of it: a change for each line, None leaves the line out."""
    made = order(number="SO-90031", system="nordwind", **changes)
    made["orderItem"] = [dict(line, **(lines or {}).get(line["id"], {})) for line in made["orderItem"] if (lines or {}).get(line["id"], {}) is not None]
    return {"order": order(), "answer": made}


def statuses(given):
    """(BAK02, what ACK says of each line, what is said), of what the grammar takes."""
    text, said = x12("order-to-x12-855.jq", given)
    line, more = ferrule(text, "decode", "x12", *CHECK)
    if not line:
        return None, None, said + more
    document = json.loads(line)["document"]
    return (document["beginning"]["acknowledgmentType"], [line["acknowledgments"][0]["acknowledgment"]["status"] for line in document["lines"]], said + more)


def to_855():
    money = lambda amount: {"amount": amount, "currency": "USD"}  # noqa: E731
    for name, given, kind, wanted in (
            ("an order that is acknowledged is accepted", order(state="acknowledged"), "AD", ["IA", "IA", "IA"]),
            ("one that is held says so", order(state="held"), "AH", ["IH", "IH", "IH"]),
            ("one that is rejected rejects all lines", order(state="rejected"), "RD", ["IR", "IR", "IR"]),
            ("an answer without a difference accepts", answer(), "AD", ["IA", "IA", "IA"]),
            ("a quantity, a day and a line that is not there", answer({"1": {"quantity": {"amount": "20", "unit": "CA"}}, "2": {"requestedDeliveryDate": "2026-03-27"}, "3": None}),
             "AC", ["IQ", "DR", "IR"]),
            ("a price, a substitute, and two at once", answer({"1": {"price": money("19.00")}, "2": {"product": {"id": "NW-9", "system": "nordwind"}},
                                                               "3": {"price": money("1990"), "requestedDeliveryDate": "2026-03-30"}}), "AC", ["IP", "IS", "IC"]),
            ("24 and 24.0 are the same", answer({"1": {"quantity": {"amount": "24.0", "unit": "CA"}}}), "AD", ["IA", "IA", "IA"]),
            ("an answer that is rejected", answer(state="rejected"), "RD", ["IR", "IR", "IR"])):
        got = statuses(given)
        point("855: " + name, got[2] or differs(list(got[:2]), [kind, wanted]))
    text, said = x12("order-to-x12-855.jq", answer({"1": {"price": money("19.00"), "quantity": {"amount": "20", "unit": "CA"}}, "2": {"product": {"id": "NW-9", "system": "nordwind"}}}))
    point("855: what was ordered and what is answered stand beside each other", said or [part for part in (
        "GS*PR*", "BAK*00*AC*PO-20931*20260302***C-2025-18*SO-90031~", "REF*VN*SO-90031~", "N1*BY*Acme Retail Aktiengesellschaft*92*0001~",
        "PO1*1*24*CA*19.00*PE*VP*NW-1001*", "ACK*IC*20*CA*067*20260316~", "ACK*IS*12.5*KG*067*20260320**VP*NW-9~", "CTT*3*37.5~") if part not in text])
    text, said = x12("order-to-x12-855.jq", order(state="acknowledged"))
    point("855: an order alone promises no day", said or "067" in text and text)
    for name, given, words in (
            ("an order without a state has no answer", order(), ("PO-20931 has no state",)),
            ("a line that was not ordered is refused", {"order": order(orderItem=order()["orderItem"][:2]), "answer": order()}, ("line 3 of the answer was not ordered",))):
        point("855: " + name, refused(x12("order-to-x12-855.jq", given)[1], *words))


def not_sent():
    for mapping in ("order-to-x12-850.jq", "order-to-edifact-orders.jq", "order-to-idoc-orders.jq"):
        for state in ("cancelled", "rejected"):
            out, said = mapped(mapping, json.dumps(order(state=state)))
            point("%s: an order that is %s is not sent as a new one" % (mapping, state), out or refused(said, "PO-20931 is " + state))


def to_csv():
    lines, said = mapped("order-to-erp-csv.jq", json.dumps(order()))
    text, more = ferrule(lines, "encode", "csv", "--set", "separator=;")
    rows, most = ferrule(text, "decode", "csv")
    rows = [json.loads(row) for row in rows.splitlines()]
    wanted = {"order_number": "PO-20931", "customer_id": "0001", "customer_state": "Bayern", "ship_to_id": "4054321000118", "ship_to_street": "1180 Harbour Road, Dock 4, Gate B",
              "bill_to_id": "C-77", "payment_terms": "NET45", "contract": "C-2025-18", "line": "1", "product": "NW-1001", "buyer_product": "77001", "gtin": "012345678905",
              "quantity": "24", "unit": "CA", "price": "18.40", "line_total": "441.60", "line_allowance": "11.04", "line_tax": "", "line_requested_date": "2026-03-16",
              "order_total": "2443.19", "order_charge": "45.00", "order_tax": "201.56"}
    point("an order is rows of CSV, one a line, each with the order's own fields", said + more + most or len(rows) != 3 and str(rows)
          or differs({key: rows[0].get(key) for key in wanted}, wanted))
    point("CSV: it is, field by field, what it was", golden(text, "order.csv", ";"))
    point("CSV: a note of several lines stays in its field, a line's own day goes first", rows[1]["note"] != "\n".join(order()["note"]) or
          differs([rows[1]["line_requested_date"], rows[1]["price"], rows[2]["gtin"]], ["2026-03-20", "0.1275", "4054321000910"]))
    small = {key: value for key, value in order().items() if key in ("number", "system", "orderDate", "customer", "orderItem", "total")}
    lines, said = mapped("order-to-erp-csv.jq", json.dumps(dict(small, charge=[{"kind": "tax", "code": "VAT", "percent": "19"}])))
    point("CSV: a small order has all columns, and a rate without an amount is told in words", said or differs(list(json.loads(lines)[0]), list(rows[0]))
          + differs(json.loads(lines)[0]["note"], "VAT: 19 %"))


# ---- other people's
def samples():
    """Every 850 and ORDERS of theirs is an order, or is refused in words of ours."""
    if not os.path.isdir(SHARED):
        print("# skipped: %s is not there" % SHARED)
        return
    told, orders = "", 0
    for kind, mark, mapping in (("x12", b"ST*850", "x12-850-to-order.jq"), ("edifact", b"ORDERS:D", "edifact-orders-to-order.jq")):
        for path in sorted(glob.glob(os.path.join(SHARED, kind, "**", "*"), recursive=True)):
            if not os.path.isfile(path) or mark not in open(path, "rb").read():
                continue
            for line in ferrule("", "decode", kind, "--set", "form=nested", path)[0].splitlines():
                if json.loads(line).get("transaction", {}).get("type") in ("850", "ORDERS"):
                    out, said = mapped(mapping, line, "--contract", "order/v1")
                    orders += bool(out)
                    told += "" if out or re.match(r"map[^:]*: (order|line|the order) ", said) else "%s: %s\n" % (path, said)
    point("other people's orders are orders, or are refused with a reason (%d are)" % orders, told)


# ---- in flows
SITE_TESTS = """test: an order goes out in every form
flow: orders-in
follow: yes
input: {file: tests/order-request.xml, name: order-request.xml}
published: {topic: order.received.v1, contract: order/v1, body: ORDER}
delivered:
  - {to: orders-to-supplier, path: out/PO-4711.850}
  - {to: orders-to-edifact, path: out/PO-4711.edi}
  - {to: orders-to-sap, path: out/PO-4711.idoc}
  - {to: orders-to-erp, path: out/PO-4711.csv}
---
test: an answer goes out as 855, beside the order that was kept
flow: answers-out
input: {json: ANSWER, name: answer.json}
stores: {orders: {PO-4711: ORDER}}
delivered: {to: answers-out, path: out/PO-4711.855, file: tests/PO-4711.855}
"""


def in_a_site():
    made = json.loads(read("cxml-order-to-order.json"))
    said = dict(made, number="SO-90031", system="nordwind", state="acknowledged", externalReference=[{"id": "PO-4711", "system": made["system"]}])
    said["orderItem"] = [dict(made["orderItem"][0], quantity={"amount": "20", "unit": "CA"}, total={"amount": "368.00", "currency": "USD"}), made["orderItem"][1]]
    said["total"] = {"amount": "2719.50", "currency": "USD"}
    with tempfile.TemporaryDirectory(prefix="ferrule-orders-") as site:
        for folder in ("flows", "tests"):
            os.mkdir(os.path.join(site, folder))
        for path, text in (("site.yaml", "name: orders\n"), ("flows/all.yaml", read("flows.yaml")), ("tests/order-request.xml", read("order-request.xml")),
                           ("tests/PO-4711.855", read("PO-4711.855").replace("\n", "")),
                           ("tests/all.yaml", SITE_TESTS.replace("ORDER}", json.dumps(made) + "}").replace("ANSWER", json.dumps(said)))):
            with open(os.path.join(site, path), "w", encoding="utf-8") as file:
                file.write(text)
        out, said = ferrule("", "check", site)
        point("a site that has none of the mappings checks clean with flows that name all of them", ("error" in out + said and "no errors" not in out or "warning" in out + said) and out + said)
        out, said = ferrule("", "test", site)
        point("its flows make of a cXML order an 850, ORDERS, an IDoc and a CSV, and of its answer an 855", "2 tests: 2 ok" not in out and out + said)


def copies():
    """jq has no modules here: the helpers stand in each mapping, and must stay the same."""
    for first, last, names in (
            ("# ---- decimals", "def money", ("x12-850-to-order", "edifact-orders-to-order", "idoc-orders-to-order", "cxml-order-to-order", "order-to-x12-850",
                                              "order-to-x12-855", "order-to-idoc-orders", "order-to-edifact-orders", "order-to-erp-csv")),
            ("# ---- segments of X12", "def total_agrees", ("order-to-x12-850", "order-to-x12-855"))):
        parts = {text[text.index(first):text.index("\n", text.index(last))] for text in (read(name + ".jq", MAPPINGS) for name in names)}
        point("mappings of orders share one copy of: " + first[7:], len(parts) != 1 and "there are %d" % len(parts))


def main():
    for part in (from_x12, from_edifact, from_idoc, from_cxml, to_x12, to_855, to_edifact, to_idoc, not_sent, to_csv, samples, in_a_site, copies):
        part()
    print("1..%d" % number)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
