#!/usr/bin/env python3
"""Expectations: what must happen by a time is judged once, told once, and closed by what comes late, through every crash."""
import json
import os
import time
import urllib.request

from bed import Skip, check, equal, free_port, has_faults, main, read, test, wait

ORDERS = """
flow: orders
owner: sales
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
publish: order.received.v1
"""
TO_ERP = """
flow: orders-to-erp
owner: finance
runbook: https://example.net/erp
subscribe: order.received.v1
steps:
  - map: {jq: '{id: .number}'}
to: {file: 'erp/$(.id).json', create: yes}
effect: rename
expect: {event: order.accepted.v1, key: .number, within: WITHIN}
"""
ACCEPTED = """
flow: accepted
owner: finance
from: {file: 'ack/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
publish: order.accepted.v1
---
flow: accepted-kept
owner: finance
subscribe: order.accepted.v1
to: {file: 'accepted/$(.number).json', create: yes, exists: number}
effect: rename
"""
ALERTS = """
flow: alerts
owner: operations
subscribe: [ferrule.expectation-missed.v1, ferrule.expectation-met.v1]
to: {file: 'alerts/$($envelope.type).json', create: yes, exists: number}
effect: rename
"""


def orders(site, within):
    for text in (ORDERS, TO_ERP.replace("WITHIN", within), ALERTS):
        site.flow(text)
    site.write("flows/accepted.yaml", ACCEPTED.lstrip("\n"))


def alerts(site, what):
    """The events of one kind, each as the file that its flow wrote."""
    return [json.loads(read(site.at("alerts", name))) for name in site.files("alerts") if f"expectation-{what}" in name]


def expectations(site, *options):
    return site.ask("expect", "list", *options)["expectations"]


@test("an answer in time meets it and nobody hears of it; the counts say so")
def in_time(site):
    port = free_port()
    orders(site, "1h")
    site.write("site.yaml", f"name: e2e\nlisten: {{http: {{port: {port}}}}}\nlimits: {{disk-reserve: 1MiB}}\n")
    site.start()
    for n in range(3):
        site.drop(f"in/{n}.json", {"number": f"PO-{n}"})
    wait(lambda: len(expectations(site, "--open")) == 3, 10, "three open ones")
    one = expectations(site)[0]
    equal((one["name"], one["flow"], one["needed"], one["came"]), ("orders-to-erp", "orders-to-erp", 1, 0), "an open one")
    equal({e["label"] for e in expectations(site)}, {"PO-0", "PO-1", "PO-2"}, "the keys")
    site.drop("ack/a.json", {"number": "PO-1"})
    wait(lambda: len(expectations(site, "--open")) == 2, 10, "one to be met")
    equal([(e["label"], e["state"]) for e in expectations(site, "--done")], [("PO-1", "met")], "the one that was met")
    site.drop("ack/b.json", {"number": "PO-1", "again": True})  # nobody waits for it
    site.drop("ack/c.json", {"number": "PO-7"})
    site.wait_files("accepted", 3)
    equal(len(expectations(site, "--open")), 2, "open ones")
    site.idle()
    equal(site.files("alerts"), [], "alerts")
    kpi = site.status()["expectations"]
    equal([(k["name"], k["open"], k["missed"], k["met"]) for k in kpi], [("orders-to-erp", 2, 0, 1)], "the counts")
    equal(site.status()["problems"], [], "problems")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        metrics = answer.read().decode()
    labels = '{expectation="orders-to-erp",flow="orders-to-erp"}'
    for name, value in (("open", 2), ("missed", 0), ("met_total", 1), ("missed_total", 0), ("late_total", 0), ("success_ratio", 1)):
        check(f"ferrule_expectation_{name}{labels} {value}\n" in metrics, name, metrics[-2000:])
    check(f"ferrule_expectation_lag_seconds{labels} -" in metrics, "the lag")


@test("a miss is told once, is a problem with owner, runbook and next command, and what comes late closes it")
def missed(site):
    orders(site, "700ms")
    site.start()
    site.drop("in/1.json", {"number": "PO-1"})
    wait(lambda: alerts(site, "missed"), 10, "the alert")
    event = alerts(site, "missed")[0]
    equal((event["expectation"], event["key"], event["owner"], event["runbook"], event["came"]),
          ("orders-to-erp", "PO-1", "finance", "https://example.net/erp", 0), "the event")
    check("order.accepted.v1" in event["what"] and "PO-1" in event["what"], event["what"])
    problem = wait(lambda: site.status()["problems"], 5, "the problem")[0]
    equal((problem["owner"], problem["runbook"], problem["keys"]), ("finance", "https://example.net/erp", ["PO-1"]), "the problem")
    check("PO-1" in site.do(*problem["next"].split()[1:]), problem["next"])
    check("PO-1" in site.do(*event["next"].split()[1:]), event["next"])
    code, out, _ = site.type("status", "--problems")
    check(code == 1 and "finance" in out and "orders-to-erp" in out, code, out)
    site.drop("ack/1.json", {"number": "PO-1"})
    wait(lambda: alerts(site, "met"), 10, "the event that it came")
    equal(alerts(site, "met")[0]["key"], "PO-1", "its key")
    check(alerts(site, "met")[0]["late_ms"] > 0, "not late")
    equal(site.status()["problems"], [], "problems")
    site.idle()
    equal(len(site.files("alerts")), 2, "alerts")
    check("ferrule.expectation-missed.v1" in site.do("trace", "PO-1"), "the trace does not know")


@test("a person closes what will not come")
def closed(site):
    orders(site, "200ms")
    site.start()
    site.drop("in/1.json", {"number": "PO-1"})
    one = wait(lambda: expectations(site, "--missed"), 10, "a missed one")[0]
    code, _, err = site.type("expect", "close", str(one["number"]))
    check(code == 2 and "--reason" in err, code, err)
    site.do("expect", "close", str(one["number"]), "--reason", "the ERP has a holiday")
    for number in (one["number"], 4711):  # nothing more is done, and that is said
        code, _, err = site.type("expect", "close", str(number), "--reason", "again")
        check(code == 1 and f"expectation {number} is not waited for" in err, number, code, err)
    equal(expectations(site), [], "what is waited for")
    check("holiday" in expectations(site, "--done")[0]["why"], "the reason is lost")
    equal(site.status()["problems"], [], "problems")


@test("open ones survive the end of the site, and what ran out meanwhile is told when it is back")
def survives(site):
    orders(site, "5s")
    site.start()
    site.drop("in/3.json", {"number": "PO-3"})
    wait(lambda: expectations(site), 5, "the first")
    site.drop("ack/3.json", {"number": "PO-3"})
    wait(lambda: expectations(site, "--done"), 5, "its answer")
    for n in (n for n in range(20) if n != 3):
        site.drop(f"in/{n}.json", {"number": f"PO-{n}"})
    wait(lambda: len(expectations(site)) == 19, 15, "the open ones")
    site.kill_all()
    time.sleep(5)
    site.start()
    wait(lambda: len(alerts(site, "missed")) >= 19, 15, "the alerts")
    site.idle()
    equal(sorted(a["key"] for a in alerts(site, "missed")), sorted(f"PO-{n}" for n in range(20) if n != 3), "missed ones")


def missed_by_now(site):
    """How many are missed; None where the process that was asked was the one that was killed."""
    code, out, _ = site.type("expect", "list", "--missed", "--site", site.path, "--json")
    return len(json.loads(out)["expectations"]) if code == 0 else None


@test("killed between any two of its steps the steward tells each miss once")
def killed(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    orders(site, "300ms")
    points = ["steward.judging", "steward.judged", "steward.telling", "steward.told", "expect.state", "event.put",
              "expect.opening", "expect.opened", "expect.arrived"]
    site.start(env={"FERRULE_FAULTS": ",".join(f"{p}:1=kill" for p in points), "FERRULE_FAULT_MARKS": site.work})
    for n in range(10):
        site.drop(f"in/{n}.json", {"number": f"PO-{n}"})
    wait(lambda: missed_by_now(site) == 10, 30, "all to be missed")
    for n in range(10):
        site.drop(f"ack/{n}.json", {"number": f"PO-{n}"})
    wait(lambda: len(alerts(site, "met")) >= 10, 30, "all to be told as late")
    site.idle()
    for point in points:
        check(os.path.exists(os.path.join(site.work, point + ".struck")), "nobody was killed at", point)
    wanted = sorted(f"PO-{n}" for n in range(10))
    equal(sorted(a["key"] for a in alerts(site, "missed")), wanted, "missed ones")
    equal(sorted(a["key"] for a in alerts(site, "met")), wanted, "late ones")
    equal(site.dead(), [], "dead letters")


def clock_at(hour, minute, second):
    """A time zone in which it is now this time of the day."""
    now = time.gmtime()
    east = ((hour * 60 + minute) * 60 + second - (now.tm_hour * 60 + now.tm_min) * 60 - now.tm_sec) % 86400
    if east > 12 * 3600:
        east -= 86400
    sign, east = ("-" if east >= 0 else "+"), abs(east)
    return f"XXX{sign}{east // 3600:02d}:{east // 60 % 60:02d}:{east % 60:02d}"


BANK = """
flow: bank
owner: treasury
from: {file: 'bank/*', after: delete, age: 0s, interval: 50ms, name: bank-drop}
steps:
  - decode: json
to: {file: 'out/$(.n).json', create: yes, exists: number}
effect: rename
expect:
  - {file: 'camt-*.json', by: '07:30', runbook: https://example.net/bank}
  - {name: three, file: '*.json', count: 3, by: '07:30', since: '06:00'}
"""


@test("a file by a time of the day, and so many of them: what has come counts, what has not is missed")
def by_time(site):
    site.flow(BANK)
    site.flow(ALERTS)
    site.start(env={"TZ": clock_at(7, 29, 54)})
    wait(lambda: len(expectations(site)) == 2, 5, "the day to be opened")
    equal(sorted((e["name"], e["needed"]) for e in expectations(site)), [("bank", 1), ("bank.three", 3)], "the day")
    site.drop("bank/camt-1.json", {"n": 1})
    site.drop("bank/camt-1.txt", {"n": 2})  # no such name
    wait(lambda: [e for e in expectations(site, "--done") if e["name"] == "bank"], 4, "the file to meet it")
    site.drop("bank/other.json", {"n": 3})
    wait(lambda: alerts(site, "missed"), 15, "the alert")
    event = alerts(site, "missed")[0]
    equal((event["expectation"], event["came"], event["needed"], event["owner"]), ("bank.three", 2, 3, "treasury"), "the event")
    site.drop("bank/third.json", {"n": 4})
    wait(lambda: alerts(site, "met"), 10, "its late end")
    equal(len(site.files("alerts")), 2, "alerts")
    equal(expectations(site), [], "what is waited for")


main()
