#!/usr/bin/env python3
"""Do the shipped mappings make statements and payments of ISO 20022, and refuse what does not add up? Prints TAP.

Documents of tests/formats/iso20022, with amounts put in; and other people's, where their folder is beside the project."""
import glob
import json
import os
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("FERRULE_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("FERRULE_BUILDDIR") or os.path.join(SOURCE, "build", "dev")
SAMPLES = os.path.join(os.environ.get("FERRULE_SHARED") or os.path.join(SOURCE, "..", "shared"), "data", "iso20022", "iso20022.js")
number = failed = 0


def point(name, wrong):
    global number, failed
    number += 1
    failed += bool(wrong)
    print("%s %d - %s" % ("not ok" if wrong else "ok", number, name))
    for line in str(wrong).splitlines() if wrong else ():
        print("# " + line)


def run(mapping, text, *more):
    """What comes out, and what is said."""
    with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
        file.write(text)
        file.flush()
        done = subprocess.run([os.path.join(BUILD, "ferrule"), "map", os.path.join(SOURCE, "config", "mappings", mapping), "--decode", "xml",
                               "--set", "names=local", *more, file.name], env=dict(os.environ, FERRULE_DATA=os.path.join(SOURCE, "config")),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def valid(contract, bodies):
    text = "".join(json.dumps(body) + "\n" for body in bodies)
    done = subprocess.run([os.path.join(BUILD, "ferrule"), "validate", contract, "--formats", "on"], input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, env=dict(os.environ, FERRULE_DATA=os.path.join(SOURCE, "config")))
    return "" if done.returncode == 0 else done.stdout


def document(name, **amounts):
    with open(os.path.join(SOURCE, "tests", "formats", "iso20022", name), encoding="utf-8") as file:
        text = file.read()
    for key, amount in amounts.items():
        text = text.replace("-%s-" % key, amount)
    return text


def differs(got, **wanted):
    return "\n".join("%s is %r, not %r" % (key, got.get(key), value) for key, value in wanted.items() if got.get(key) != value)


def statements():
    out, said = run("camt-to-statement.jq", document("camt053.xml", CLOSING="323.96", SECOND="2500.00"), "--set", "each=//Stmt")
    got = out[0] if out else {}
    point("a statement has its balances, and what is booked", said + differs(
        got, number="ST-104", system="COBADEFFXXX", period={"startDate": "2026-04-14", "endDate": "2026-04-14"},
        openingBalance={"amount": "1000.10", "currency": "EUR"}, closingBalance={"amount": "-323.96", "currency": "EUR"},
        totalDebit={"amount": "4000.00", "currency": "EUR"}, totalCredit={"amount": "2675.94", "currency": "EUR"})
        or [line["balance"]["amount"] for line in got["statementLine"]] != ["3676.04", "-323.96"] and got)
    point("it is a valid statement/v1", valid("statement/v1", out))
    out, said = run("camt-to-statement.jq", document("camt053.xml", CLOSING="323.95", SECOND="2500.00"), "--set", "each=//Stmt")
    point("a statement whose entries do not lead to its closing balance is refused", out or ("do not agree" not in said and said))


def movements():
    out, said = run("camt-to-payments.jq", document("camt053.xml", CLOSING="323.96", SECOND="2500.00"), "--set", "each=//Stmt")
    payments = out[0] if out else []
    point("each transaction is a payment", said or [p["totalAmount"]["amount"] for p in payments] != ["2675.94", "1500.00", "2500.00", "77.00"] and payments)
    point("what it was for, and by whom", not payments or differs(
        payments[0], direction="received", correlatorId="INV-90017", account="NL91ABNA0417164300", paymentMethod="transfer", status="settled", id="REF1")
        or payments[3]["status"] != "pending" and payments[3])
    point("they are valid payment/v1", valid("payment/v1", payments))
    out, said = run("camt-to-payments.jq", document("camt053.xml", CLOSING="323.96", SECOND="2500.01"), "--set", "each=//Stmt")
    point("a batch that does not add up to its entry is refused", out or ("do not add up" not in said and said))


def orders():
    out, said = run("pain-to-payments.jq", document("pain001.xml", SUM="0.30"))
    payments = out[0] if out else []
    point("orders of pain.001 are payments that are pending", said or len(payments) != 2 or differs(
        payments[0], id="E1", direction="paid", paymentDate="2026-04-20", status="pending", correlatorId="INV-1"))
    point("they are valid, too", valid("payment/v1", payments))
    out, said = run("pain-to-payments.jq", document("pain001.xml", SUM="0.31"))
    point("a sum that is wrong refuses them", out or ("sum of its amounts" not in said and said))
    out, said = run("pain-to-payments.jq", document("pain002.xml"))
    payments = out[0] if out else []
    point("what a bank refused is a payment that failed", said or differs(payments[0], id="E1", status="failed", statusReason="Account closed")
          or valid("payment/v1", payments))


# How many statements are made of them; the others have amounts that were made up, and do not add up.
KNOWN = {"camt_053_uk_v2_1.xml": 1, "camt_053_us_v2_sample.xml": 0, "example_camt-2.xml": 1, "example_camt-3.xml": 1, "example_camt.xml": 1}


def samples():
    for path in sorted(glob.glob(os.path.join(SAMPLES, "*camt*.xml"))):
        name = os.path.basename(path)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        out, said = run("camt-to-statement.jq", text, "--set", "each=//Stmt")
        point("statements of " + name, len(out) != KNOWN.get(name, 1) and said or (out and valid("statement/v1", out)))
        out, said = run("camt-to-payments.jq", text, "--set", "each=//Stmt")
        point("payments of " + name, said or valid("payment/v1", [payment for one in out for payment in one]))
    if not os.path.isdir(SAMPLES):
        print("ok %d - other people's documents # SKIP %s is not there" % (number + 1, SAMPLES))


statements()
movements()
orders()
samples()
print("1..%d" % (number + (not os.path.isdir(SAMPLES))))
sys.exit(failed > 0)
