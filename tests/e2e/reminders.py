#!/usr/bin/env python3
"""What lasts is told again: one reminder for each owner and interval, none when it is over, and neither a storm nor silence after a
restart; by mail, with a server that takes it."""
import time

from bed import Target, check, equal, main, test, wait
from daemons import MailServer

SITE = "name: e2e\nlimits: {{disk-reserve: 1MiB}}\nprocesses: {{transform: 1}}\nalerts: {{remind: {remind}}}\n"
ORDERS = """
flow: {name}
owner: {owner}
runbook: https://example.net/{name}
from: {{file: '{name}/*.json', after: delete, age: 0s, interval: 50ms}}
steps:
  - decode: json
to: {{operation: good.put}}
effect: none
"""
ALERTS = """
flow: alerts
owner: operations
subscribe: [ferrule.dead-letter.v1, ferrule.still-open.v1]
steps:
  - use: {{snippet: ferrule-alert, with: {{within: 200ms, again: 4h}}}}
publish: alert.raised.v1
---
flow: alerts-mail
owner: operations
subscribe: alert.raised.v1
to: {{mail: ops@example.org, from: ferrule@example.org, subject: '$(.title)', text: '$(.text)', host: 127.0.0.1, port: {mail}, tls: none}}
effect: {{key: '$(.id)', remembers: forever}}
"""


def prepare(site, remind, flows):
    mail, target = MailServer(site, "smtp"), Target(site, "good")
    site.write("site.yaml", SITE.format(remind=remind))
    site.write("flows/alerts.yaml", ALERTS.format(mail=mail.port).lstrip("\n"))
    site.system("good", target.url)
    for name, owner in flows.items():
        site.flow(ORDERS.format(name=name, owner=owner))
    code, out, err = site.type("check")
    check(code == 0, out, err)
    site.start()
    return mail


def reminders(mail, words=""):
    return [m["parts"][0]["text"] for m in mail.mails() if "still open" in m["headers"]["Subject"] and words in m["parts"][0]["text"]]


@test("a trouble that lasts is told again and again, that of an owner together and each owner apart, and no more when it is over")
def lasts(site):
    mail = prepare(site, "2s", {"one": "sales", "two": "sales", "three": "care"})
    for name in ("one", "two", "three"):
        site.drop(f"{name}/1.json", b"{ no json")
    wait(lambda: len(site.dead()) == 3, 15, "the letters")
    wait(lambda: len(reminders(mail, "flow one")) >= 2 and len(reminders(mail, "flow three")) >= 2, 30, "two reminders for each owner")
    text = reminders(mail, "flow one")[-1]
    check("flow two" in text and "runbook: https://example.net/one" in text and "next: ferrule dead list --flow one" in text, text)
    check("flow three" not in text, text)
    for letter in site.dead():
        site.do("dead", "discard", str(letter["number"]), "--reason", "done")
    wait(lambda: not site.status()["problems"], 10, "no problems")
    site.idle()
    time.sleep(0.5)
    count = len(reminders(mail))
    time.sleep(3)
    equal(len(reminders(mail)), count, "reminders after it was over")


@test("a machine that is killed and started again neither repeats at once nor forgets")
def killed(site):
    mail = prepare(site, "8s", {"one": "sales"})
    site.drop("one/1.json", b"{ no json")
    wait(lambda: len(reminders(mail)) == 1, 30, "the first reminder")
    began = time.monotonic()
    site.kill_all()
    site.supervisor.wait(timeout=10)
    site.start()
    wait(lambda: len(reminders(mail)) == 2, 30, "the second")
    check(time.monotonic() - began > 5, "it was repeated at once")
    check("reminder 2" in reminders(mail)[1], reminders(mail))


@test("with remind: off nobody is reminded, and what is no time is refused")
def off(site):
    mail = prepare(site, "off", {"one": "sales"})
    site.drop("one/1.json", b"{ no json")
    wait(lambda: mail.mails(), 20, "the alert")
    time.sleep(3)
    equal(reminders(mail), [], "reminders")
    site.write("site.yaml", SITE.format(remind="often"))
    code, out, err = site.type("check")
    check(code == 1 and "is no time between two reminders" in out + err, code, out, err)


main()
