#!/usr/bin/env python3
"""Do the shipped mappings make statements of MT940 and BAI2, and refuse what does not add up? Prints TAP.

Documents of tests/formats/statements, with amounts put in; and other people's, where their folder is beside the project."""
import glob
import json
import os
import subprocess
import sys

SOURCE = os.environ.get("FERRULE_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("FERRULE_BUILDDIR") or os.path.join(SOURCE, "build", "dev")
SAMPLES = os.path.join(os.environ.get("FERRULE_SHARED") or os.path.join(SOURCE, "..", "shared"), "data")
ENVIRONMENT = dict(os.environ, FERRULE_DATA=os.path.join(SOURCE, "config"))
number = failed = 0


def point(name, wrong):
    global number, failed
    number += 1
    failed += bool(wrong)
    print("%s %d - %s" % ("not ok" if wrong else "ok", number, name))
    for line in str(wrong).splitlines() if wrong else ():
        print("# " + line)


def ferrule(text, *arguments):
    return subprocess.run([os.path.join(BUILD, "ferrule"), *arguments], input=text, env=ENVIRONMENT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)


def run(kind, data, *more):
    """The statements, valid ones only, and what is said."""
    decoded = ferrule(data, "decode", kind, *more)
    if not decoded.stdout:
        return [], decoded.stderr.decode()
    mapped = ferrule(decoded.stdout, "map", os.path.join(SOURCE, "config", "mappings", kind + "-to-statement.jq"), "--contract", "statement/v1")
    return [json.loads(line) for line in mapped.stdout.splitlines()], (decoded.stderr + mapped.stderr).decode()


def document(name, **amounts):
    with open(os.path.join(SOURCE, "tests", "formats", "statements", name), encoding="utf-8") as file:
        text = file.read()
    for key, amount in amounts.items():
        text = text.replace("@%s@" % key, amount)
    return text.encode()


def differs(got, **wanted):
    return "\n".join("%s is %r, not %r" % (key, got.get(key), value) for key, value in wanted.items() if got.get(key) != value)


def money(amount, currency):
    return {"amount": amount, "currency": currency}


def adds_up(statement):
    """Opening balance, lines and closing balance, counted again in another way."""
    def units(of):
        return int(of["amount"].replace(".", "")) if of else 0

    if statement.get("statementType") != "bank":
        return "it does not say that it is a bank's"
    now = units(statement["openingBalance"])
    for line in statement.get("statementLine", []):
        now += units(line.get("creditAmount")) - units(line.get("debitAmount"))
        if now != units(line["balance"]):
            return "line %s: the balance is %s, not %d" % (line["id"], line["balance"]["amount"], now)
    totals = units(statement["openingBalance"]) + units(statement["totalCredit"]) - units(statement["totalDebit"])
    return "" if totals == units(statement["closingBalance"]) and (now == totals or not statement.get("statementLine")) else json.dumps(statement)


def mt940():
    out, said = run("mt940", document("mt940.sta", CLOSING="323,96"))
    got = out[0] if out else {}
    point("an MT940 is a statement: its balances, and what moved", said or differs(
        got, number="50880050/0194774600/2026-00104/00001", system="BANKDEFF", issueDate="2026-04-14", statementType="bank",
        period={"startDate": "2026-04-14", "endDate": "2026-04-14"}, openingBalance=money("1000.10", "EUR"),
        closingBalance=money("-323.96", "EUR"), totalDebit=money("4000.00", "EUR"), totalCredit=money("2675.94", "EUR")) or adds_up(got))
    lines = got.get("statementLine", [{}] * 3)
    point("it says who paid and what for", not out or differs(
        lines[0], valueDate="2026-04-14", description="INV-90017 INV-90018", documentReference={"id": "B104-1", "system": "BANKDEFF"},
        counterparty={"id": "NL91ABNA0417164300", "system": "bank", "name": "ACME RETAIL BV"}, creditAmount=money("2675.94", "EUR"))
        or differs(lines[1], description="SALARIES APRIL AS AGREED", debitAmount=money("1500.00", "EUR")))
    point("a credit that was reversed is a debit", not out or differs(lines[2], debitAmount=money("2500.00", "EUR"), creditAmount=None))
    out, said = run("mt940", document("mt940.sta", CLOSING="323,97"))
    point("a closing balance that is wrong is found by the decoder", out or ("closing balance" not in said and said))
    out, said = run("mt940", document("mt940.sta", CLOSING="323,97"), "--set", "balance=note")
    point("and refused by the mapping, where the decoder lets it pass", out or ("do not agree" not in said and said))
    out, said = run("mt940", document("mt940-yen.sta"))
    point("a currency without decimals has none", said or not out or differs(
        out[0], openingBalance=money("1000000", "JPY"), closingBalance=money("750000", "JPY"), number="0123456/2026-7") or adds_up(out[0]))


def bai2():
    right = {"CLOSING": "-32396", "CREDITS": "267594", "TOTAL": "1402802"}
    out, said = run("bai2", document("account.bai", **right))
    got = out[0] if out else {}
    point("an account of BAI2 is a statement: its balances, and what moved", said or differs(
        got, number="0194774600/2026-04-14", system="BANKUS33", issueDate="2026-04-14", statementType="bank", openingBalance=money("1000.10", "USD"),
        closingBalance=money("-323.96", "USD"), totalDebit=money("4000.00", "USD"), totalCredit=money("2675.94", "USD")) or adds_up(got))
    lines = got.get("statementLine", [{}] * 3)
    point("custom codes are debits, and what moved nothing is left out", not out or len(lines) != 3 or differs(
        lines[2], debitAmount=money("2500.00", "USD"), description="RETURNED") or differs(
        lines[0], description="ACME RETAIL LOCKBOX INV-90018", valueDate="2026-04-15", documentReference={"id": "B104-1", "system": "BANKUS33"}))
    out, said = run("bai2", document("account.bai", CLOSING="-32395", CREDITS="267594", TOTAL="1402803"))
    point("a closing balance that is wrong is refused", out or ("do not agree" not in said and said))
    out, said = run("bai2", document("account.bai", CLOSING="-32396", CREDITS="267595", TOTAL="1402803"))
    point("a total that its transactions do not come to is refused", out or ("total of credits" not in said and said))
    out, said = run("bai2", document("account.bai", **right).replace(b",USD,2", b",JPY,2"))
    point("amounts have the decimals of their currency", said or not out or differs(out[0], closingBalance=money("-32396", "JPY")) or adds_up(out[0]))
    summary = document("account.bai", CLOSING="-32396", CREDITS="267594", TOTAL="735208").split(b"16,142")[0] + \
        b"49,735208,3/\n98,735208,1,5/\n99,735208,1,7/\n"
    out, said = run("bai2", summary)
    point("a report of totals is a statement without lines", said or not out or differs(
        out[0], statementLine=None, totalDebit=money("4000.00", "USD"), closingBalance=money("-323.96", "USD")))
    out, said = run("bai2", document("account.bai", **right).replace(b"16,965", b"16,760"))
    point("a movement that is neither credit nor debit is refused", out or ("neither a credit nor a debit" not in said and said))


def samples():
    """Other people's statements: what the decoder takes must become a statement that adds up, but for what stands here."""
    refused = {"mt942.sta": 1, "sample2.txt": 5, "sample5-issue113.txt": None}
    found = sorted(glob.glob(os.path.join(SAMPLES, "mt940", "mt940", "*")) + glob.glob(os.path.join(SAMPLES, "bai2", "bai2", "*")))
    for path in found:
        kind, name = ("mt940" if path.endswith(".sta") else "bai2"), os.path.basename(path)
        with open(path, "rb") as file:
            data = file.read()
        decoded = ferrule(data, "decode", kind).stdout.count(b"\n")
        out, said = run(kind, data)
        wrong = [adds_up(one) for one in out if adds_up(one)]
        point("statements of " + name, wrong or (name not in refused and len(out) != decoded and said)
              or (refused.get(name) and len(out) != decoded - refused[name] and said))
    if not found:
        print("ok %d - other people's documents # SKIP %s is not there" % (number + 1, SAMPLES))
    return not found


mt940()
bai2()
skipped = samples()
print("1..%d" % (number + skipped))
sys.exit(failed > 0)
