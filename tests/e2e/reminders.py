#!/usr/bin/env python3
"""What lasts is told again: one reminder for each owner and interval, none when it is over, and neither a storm nor silence after a
restart; by mail, with a server that takes it."""
import os
import re
import time

from bed import Skip, Target, check, equal, free_port, has_faults, main, read, test, wait
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


ANSWERS = """expect: {event: alert.answered.v1, key: .id, within: 1s}
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
"""


def prepare(site, remind, flows, more="", **starting):
    mail, target = MailServer(site, "smtp"), Target(site, "good")
    site.write("site.yaml", SITE.format(remind=remind))
    site.write("flows/alerts.yaml", ALERTS.format(mail=mail.port).lstrip("\n").replace("again: 4h", "again: 4h, escalated: alerts-mail") + more)
    site.system("good", target.url)
    for name, owner in flows.items():
        site.flow(ORDERS.format(name=name, owner=owner))
    code, out, err = site.type("check")
    check(code == 0, out, err)
    site.start(**starting)
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


@test("killed before and behind a reminder's commit, each reminder comes once")
def struck(site):
    if not has_faults():
        raise Skip("built without fault points")
    faults = {"FERRULE_FAULTS": "steward.reminding:1=kill,steward.reminded:1=kill", "FERRULE_FAULT_MARKS": site.work}
    mail = prepare(site, "3s", {"one": "sales"}, env=faults, ready=False)
    site.drop("one/1.json", b"{ no json")
    wait(lambda: len(reminders(mail)) >= 3, 60, "three reminders")
    for name in ("reminding", "reminded"):
        check(os.path.exists(os.path.join(site.work, f"steward.{name}.struck")), "nothing was killed at", name)
    numbers = [int(re.search(r"reminder (\d+)", text).group(1)) for text in reminders(mail)]
    equal(sorted(numbers), list(range(1, len(numbers) + 1)), "their numbers")


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


@test("an alert that nobody answers is reminded of by no alert")
def unanswered(site):
    mail = prepare(site, "2s", {"one": "sales"}, ANSWERS)
    site.drop("one/1.json", b"{ no json")
    wait(lambda: any(p["problem"].startswith("expectation ") for p in site.status()["problems"]), 20, "a missed answer")
    wait(lambda: b"still open owner=operations" in read(site.log_path), 20, "a reminder of it")
    count = len(reminders(mail, "flow one"))
    wait(lambda: len(reminders(mail, "flow one")) > count + 1, 20, "two more reminders of the letter")
    equal([text for text in reminders(mail) if "missed" in text], [], "reminders of alerts")


@test("of an endpoint that somebody holds nobody is reminded until the hold ends")
def held(site):
    mail = prepare(site, "2s", {"one": "sales"})
    site.system("good", f"http://127.0.0.1:{free_port()}")
    site.reload()
    site.drop("one/1.json", {"n": 1})
    wait(lambda: reminders(mail, "is paused"), 30, "a reminder")
    site.do("hold", "good", "--until", "90m", "--reason", "under repair")
    time.sleep(1)
    count = len(reminders(mail, "is paused"))
    time.sleep(4)
    equal(len(reminders(mail, "is paused")), count, "reminders while it is held")
    site.do("resume", "good")
    wait(lambda: len(reminders(mail, "is paused")) > count, 30, "a reminder again")


main()
