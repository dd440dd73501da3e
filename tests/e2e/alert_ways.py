#!/usr/bin/env python3
"""What ships for alerts, with real counterparts: every kind of trouble comes by mail, by webhook and into syslog, together by owner, with
runbook and next command; the same trouble is told again after a time and not before."""
import datetime
import os
import re
import shutil
import subprocess
import time

from bed import HungTarget, Skip, Target, check, equal, free_port, main, test, wait
from daemons import MailServer, Rsyslog

SITE = """name: e2e
alerts: {{remind: {remind}}}
limits: {{disk-reserve: 1MiB}}
processes: {{transform: 2}}
expiry: {{owner: operations, runbook: runbooks/key-expiring.md, secrets: {{mail-password: {day}}}}}
"""
ORDERS = """
flow: {name}
owner: {owner}
runbook: https://example.net/{name}
from: {{file: '{name}/*.json', after: delete, age: 0s, interval: 50ms}}
steps:
  - decode: json
to: {{operation: {system}.put}}
effect: none
{more}
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
  - ferrule.still-open.v1
steps:
  - use: {{snippet: ferrule-alert, with: {{within: 300ms, again: {again}}}}}
publish: alert.raised.v1
---
flow: alerts-mail
owner: operations
subscribe: alert.raised.v1
to: {{mail: ops@example.org, from: ferrule@example.org, subject: '$(.title)', text: '$(.text)', host: 127.0.0.1, port: {mail}, tls: none}}
effect: {{key: '$(.id)', remembers: forever}}
---
flow: alerts-webhook
owner: operations
subscribe: alert.raised.v1
steps:
  - map: {{jq: '{{n: .id, text: "\\(.title)\\n\\(.text)", kinds: [.alerts[].kind]}}'}}
to: {{operation: chat.put}}
effect: {{key: '$(.n)', remembers: 1h}}
---
flow: alerts-syslog
owner: operations
subscribe: alert.raised.v1
to: {{syslog: '$(.title): $(.text)', severity: warning, data: {{owner: '$(.owner)', count: '$(.count)'}}, host: 127.0.0.1, port: {syslog}, transport: tcp}}
effect: {{key: '$(.id)', remembers: forever}}
"""


def prepare(site, again="4h"):
    mail, chat, log = MailServer(site, "smtp"), Target(site, "chat"), Rsyslog(site)
    site.write("flows/alerts.yaml", ALERTS.format(mail=mail.port, syslog=log.port, again=again).lstrip("\n"))
    site.system("chat", chat.url)
    return mail, chat, log


@test("a dead letter, a doubt, a paused endpoint, a missed answer and an ending password each come by mail, by webhook and into syslog")
def kinds(site):
    mail, chat, log = prepare(site)
    target, hung = Target(site, "good"), HungTarget(site)
    tomorrow = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3)).date().isoformat()
    site.write("site.yaml", SITE.format(day=tomorrow, remind="24h"))
    site.system("good", target.url)
    site.system("hung", hung.url, more="timeout: 1s\n")
    site.system("gone", f"http://127.0.0.1:{free_port()}")
    site.flow(ORDERS.format(name="bad", owner="sales", system="good", more=""))
    site.flow(ORDERS.format(name="unclear", owner="finance", system="hung", more=""))
    site.flow(ORDERS.format(name="waits", owner="care", system="gone", more=""))
    site.flow(ORDERS.format(name="asks", owner="treasury", system="good", more="expect: {event: answer.v1, key: .n, within: 1s}"))
    site.flow("flow: answers\nowner: treasury\nfrom: {file: 'answers/*.json', age: 0s}\nsteps: [{decode: json}]\npublish: answer.v1\n")
    site.flow("flow: answers-kept\nowner: treasury\nsubscribe: answer.v1\nto: {file: 'kept/$(.n).json', create: yes}\neffect: rename\n")
    code, out, err = site.type("check")
    check(code == 0, out, err)
    site.start()
    site.drop("bad/1.json", b"{ no json")
    for name in ("unclear", "waits", "asks"):
        site.drop(f"{name}/1.json", {"n": name})
    wanted = {"json.syntax": "sales", "may or may not": "finance", "is paused": "care", "no answer.v1 for asks": "treasury", "mail-password expires": "operations"}

    def texts(mail):
        return "\n".join(m["headers"]["Subject"] + "\n" + m["parts"][0]["text"] for m in mail.mails())

    def lines(log):
        return "\n".join(line["text"] for line in log.lines())
    wait(lambda: all(words in texts(mail) and words in lines(log) for words in wanted) and len(chat.effects()) >= 5, 40, "every kind by every way")
    for words, owner in wanted.items():
        one = next(m for m in mail.mails() if words in m["headers"]["Subject"] + m["parts"][0]["text"])
        text = one["parts"][0]["text"]
        check("next: ferrule " in text and "runbook: " in text, text)
        check(any(words in line["text"] and f'owner="{owner}"' in line["data"] and line["severity"] == "warning" for line in log.lines()), words, owner)
        command = next(line for line in text.splitlines() if "next: ferrule" in line).split("ferrule ", 1)[1].split()
        code, out, err = site.type(*command)
        check(code in (0, 1), command, out, err)
    equal([letter["cause"] for letter in site.dead()], ["json.syntax"], "dead letters")
    equal({m["headers"]["Subject"] for m in mail.mails() if "json.syntax" in m["headers"]["Subject"]}, {"dead letter of bad: json.syntax in decode:json"}, "subjects")


@test("a disk that is nearly full comes by mail, by webhook and into syslog, each with what to do, and so does its end")
def disk(site):
    path = site.at("data")
    os.makedirs(path)
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120m,mode=0700", "ferrule-test", path], stderr=subprocess.DEVNULL).returncode:
        raise Skip("a disk of its own can be made by root only")
    try:
        mail, chat, log = prepare(site)
        site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 8MiB}\n")
        site.start()
        with open(os.path.join(path, "dump"), "wb") as dump:
            dump.write(bytes(shutil.disk_usage(path).free - (4 << 20)))
        for count, words in enumerate(("the disk is nearly full", "there is room on the disk again"), 1):
            wait(lambda: len(mail.mails()) == count and len(chat.effects()) == count and len(log.lines()) == count, 30, words + " by each way")
            check(words in mail.mails()[-1]["headers"]["Subject"] and words in log.lines()[-1]["text"], mail.mails(), log.lines())
            if count == 1:
                check("make room" in mail.mails()[0]["parts"][0]["text"], mail.mails())
                os.unlink(os.path.join(path, "dump"))
    finally:
        if site.supervisor:
            site.stop()
        subprocess.run(["umount", "-l", path], check=False)


@test("the same trouble is not told again before its time, and is after it")
def again(site):
    mail, chat, log = prepare(site, "6s")
    target = Target(site, "good")
    site.system("good", target.url)
    site.flow(ORDERS.format(name="bad", owner="sales", system="good", more=""))
    site.start()
    site.drop("bad/1.json", b"{ no json 1")
    wait(lambda: mail.mails(), 15, "the first mail")
    began = time.monotonic()
    site.drop("bad/2.json", b"{ no json 2")
    wait(lambda: len(site.dead()) == 2, 10, "the second letter")
    site.idle()
    check(len(mail.mails()) == 1 or time.monotonic() - began > 5, "told twice within its time")
    time.sleep(max(0.0, 7 - (time.monotonic() - began)))
    site.drop("bad/3.json", b"{ no json 3")
    wait(lambda: len(mail.mails()) == 2 and len(log.lines()) == 2 and len(chat.effects()) == 2, 20, "it again, by each way")


def told_again(text):
    """The troubles of a reminder: {title: (number, since, runbook, next)}; in syslog all stands in one line."""
    found = re.findall(r"since (\S+), reminder (\d+): (.*?)\s+runbook: (\S+)\s+next: (.*?)(?=\s+since \S+, reminder|\s+next: |\s*$)", text)
    return {title: (int(number), since, runbook, command) for since, number, title, runbook, command in found}


@test("what lasts comes again by mail, by webhook and into syslog: an owner's together, each with since, runbook and next command")
def lasting(site):
    mail, chat, log = prepare(site)
    site.write("site.yaml", SITE.format(day="2099-01-01", remind="3s"))
    target = Target(site, "good")
    site.system("good", target.url)
    site.system("gone", f"http://127.0.0.1:{free_port()}")
    site.flow(ORDERS.format(name="bad", owner="sales", system="good", more=""))
    site.flow(ORDERS.format(name="waits", owner="sales", system="gone", more=""))
    site.flow(ORDERS.format(name="worse", owner="care", system="good", more=""))
    code, out, err = site.type("check")
    check(code == 0, out, err)
    site.start()
    began = datetime.datetime.now(datetime.timezone.utc)
    site.drop("bad/1.json", b"{ no json")
    site.drop("worse/1.json", b"{ no json")
    site.drop("waits/1.json", {"n": 1})

    def texts(owner):
        """The same reminders by each way."""
        mails = [m["parts"][0]["text"] for m in mail.mails() if "still open" in m["headers"]["Subject"]]
        posts = [e["body"] for e in chat.effects() if e.get("body")]
        return ([t for t in mails if owner in t], [p["text"] for p in posts if p["kinds"] == ["still-open"] and owner in p["text"]],
                [line["text"] for line in log.lines() if "still open" in line["text"] and f'owner="{owner}"' in line["data"]])
    sales, care = "example.net/waits", "example.net/worse"
    wait(lambda: all(len(way) >= 2 for way in texts(sales)[:2]) and all(len(way) >= 2 for way in texts(care)[:2]), 40, "two reminders for each owner")
    wait(lambda: len(texts("sales")[2]) >= 2 and len(texts("care")[2]) >= 2, 20, "the same in syslog")
    for way in (*texts(sales)[:2], texts("sales")[2]):
        for number, text in enumerate(way[:2], 1):
            troubles = told_again(text)
            equal(len(troubles), 2, text)
            check(care not in text, "another owner's", text)
            for title, (times, since, runbook, command) in troubles.items():
                name = "waits" if "waits" in title else "bad"
                check(f"https://example.net/{name}" == runbook and times == number, troubles)
                check(abs((datetime.datetime.fromisoformat(since.replace("Z", "+00:00")) - began).total_seconds()) < 10, since)
                check(command.startswith("ferrule dead list --flow bad" if name == "bad" else "repair it"), command)
    for way in (texts(care)[1], texts("care")[2]):
        equal([next(iter(told_again(text).values()))[0] for text in way[:2]], [1, 2], way)
    check(all(line["severity"] == "warning" for line in log.lines()), log.lines())


main()
