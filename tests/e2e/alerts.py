#!/usr/bin/env python3
"""Ferrule's own events: dead letters, doubts, paused endpoints and a low disk are told once, and the snippet that ships makes
alerts of them, together by owner, with escalation when nobody answers."""
import json
import os

from bed import HungTarget, Target, check, equal, free_port, main, read, test, wait

ORDERS = """
flow: orders
owner: sales
runbook: https://example.net/orders
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
to: {operation: erp.put}
effect: EFFECT
"""
ALERTS = """
flow: alerts
owner: operations
subscribe:
  - ferrule.dead-letter.v1
  - ferrule.doubt.v1
  - ferrule.endpoint-paused.v1
  - ferrule.endpoint-resumed.v1
  - ferrule.disk-low.v1
  - ferrule.disk-recovered.v1
  - ferrule.expectation-missed.v1
  - ferrule.expectation-met.v1
  - ferrule.key-expiring.v1
  - ferrule.key-renewed.v1
steps:
  - use: {snippet: ferrule-alert, with: {within: 500ms}}
publish: alert.raised.v1
---
flow: alerts-out
owner: operations
subscribe: alert.raised.v1
to: {file: 'alerts/$(.id).json', create: yes}
effect: rename
expect: {event: alert.answered.v1, key: .id, within: 2s, runbook: https://example.net/duty}
---
flow: alerts-answered
owner: operations
from: {file: 'answers/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
publish: alert.answered.v1
---
flow: alerts-log
owner: operations
subscribe: alert.answered.v1
to: {file: 'answered/$(.id).json', create: yes, exists: number}
effect: rename
---
flow: alerts-escalated
owner: operations
subscribe: ferrule.expectation-missed.v1
steps:
  - filter: '.flow == "alerts-out"'
to: {file: 'escalated/$(.key).json', create: yes}
effect: rename
"""
BAD = """
flow: bad
owner: operations
subscribe: alert.raised.v1
steps:
  - map: {jq: 'error("no")'}
to: {file: 'bad/$(.id).json', create: yes}
effect: rename
"""


def prepare(site, url, effect="none", more=""):
    site.write("flows/alerts.yaml", ALERTS.lstrip("\n"))
    site.flow(ORDERS.replace("EFFECT", effect))
    site.system("erp", url, more=more)


def raised(site):
    return [json.loads(read(site.at("alerts", name))) for name in site.files("alerts")]


def all_alerts(site):
    return [alert for group in raised(site) for alert in group["alerts"]]


@test("many dead letters of one cause are one alert with owner, runbook and the next command; an answer stops the escalation")
def dead_letters(site):
    target = Target(site, "erp")
    prepare(site, target.url)
    code, out, err = site.type("check")
    check(code == 0, out, err)
    site.start()
    for n in range(5):
        site.drop(f"in/{n}.json", b"{ no json %d" % n)
    group = wait(lambda: raised(site), 15, "the alert")[0]
    equal((group["owner"], group["count"]), ("sales", 1), "the alert")
    alert = group["alerts"][0]
    equal((alert["kind"], alert["runbook"]), ("dead-letter", "https://example.net/orders"), "the alert")
    check("json.syntax" in alert["title"] and "orders" in alert["title"], alert["title"])
    check("json.syntax" in site.do(*alert["next"].split()[1:]), alert["next"])
    check("runbook: https://example.net/orders" in group["text"], group["text"])
    site.drop("answers/1.json", {"id": group["id"], "by": "anna"})
    site.wait_files("answered", 1)
    wait(lambda: not [e for e in site.ask("expect", "list")["expectations"]], 10, "nothing to be waited for")
    site.idle()
    equal(len(raised(site)), 1, "alerts")
    equal(site.files("escalated"), [], "escalations")
    equal(len(site.dead()), 5, "dead letters")


@test("an alert that nobody answers is escalated once; an alert that dies does not tell of itself")
def escalated(site):
    target = Target(site, "erp")
    prepare(site, target.url)
    site.flow(BAD)
    site.start()
    site.drop("in/1.json", b"{ no json")
    wait(lambda: len(site.dead()) == 2, 15, "the alert to die")
    wait(lambda: site.files("escalated"), 15, "the escalation")
    equal(site.files("escalated"), [raised(site)[0]["id"] + ".json"], "escalations")
    site.idle()
    equal(len(raised(site)), 1, "alerts")


@test("a delivery in doubt is told")
def doubts(site):
    target = HungTarget(site)
    prepare(site, target.url, more="timeout: 1s\n")
    site.start()
    site.drop("in/1.json", {"n": 1})
    alert = wait(lambda: all_alerts(site), 15, "the alert")[0]
    equal((alert["kind"], alert["owner"]), ("doubt", "sales"), "the alert")
    check("orders" in alert["title"], alert["title"])
    check("orders" in site.do(*alert["next"].split()[1:]), alert["next"])


@test("an endpoint that stays paused is told once, and so is its end")
def pauses(site):
    port = free_port()
    prepare(site, f"http://127.0.0.1:{port}", effect="{key: '$(.n)', remembers: 1h}")
    site.start()
    for n in range(3):
        site.drop(f"in/{n}.json", {"n": n})
    alert = wait(lambda: all_alerts(site), 30, "the alert")[0]
    equal((alert["kind"], alert["owner"]), ("endpoint-paused", "sales"), "the alert")
    check(alert["title"].endswith(" is paused"), alert["title"])
    target = Target(site, "erp", port=port)
    wait(lambda: len(target.effects()) == 3, 60, "the deliveries")
    wait(lambda: [a for a in all_alerts(site) if a["kind"] == "endpoint-resumed"], 15, "its end to be told")
    equal(sorted(a["kind"] for a in all_alerts(site)), ["endpoint-paused", "endpoint-resumed"], "alerts")


@test("a source that cannot be asked is told as that, and not as a paused endpoint")
def source(site):
    prepare(site, f"http://127.0.0.1:{free_port()}")
    site.start()
    os.rename(site.at("in"), site.at("elsewhere"))
    alert = wait(lambda: all_alerts(site), 30, "the alert")[0]
    equal((alert["title"], alert["owner"]), ("source orders of flow orders cannot be asked", "sales"), "the alert")
    check("/in" in alert["text"], alert["text"])
    os.rename(site.at("elsewhere"), site.at("in"))
    over = wait(lambda: [a for a in all_alerts(site) if a["over"]], 60, "its end to be told")[0]
    equal(over["title"], "source orders of flow orders can be asked again", "its end")


@test("a disk that is nearly full is told, though nothing is accepted any more")
def disk(site):
    room = os.statvfs(site.path)
    free = room.f_bavail * room.f_frsize
    target = Target(site, "erp")
    prepare(site, target.url)
    site.write("site.yaml", f"name: e2e\nlimits: {{disk-reserve: {free // 1048576 + 4096}MiB}}\n")
    site.start()
    alert = wait(lambda: all_alerts(site), 20, "the alert")[0]
    equal((alert["kind"], alert["over"]), ("disk-low", False), "the alert")
    equal(site.status()["accepting"], False, "accepting")


main()
