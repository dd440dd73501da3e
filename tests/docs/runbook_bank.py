#!/usr/bin/env python3
"""docs/runbooks/bank-file-missing.md: a clock just before half past seven, and nothing comes; or it came under another name, again, or dead."""
import datetime
import json

import runbook
from bed import check, equal, main, test, wait

FLOW = """
flow: bank-statements
owner: treasury
from: {file: 'drop/bank/*', after: archive, age: 0s, interval: 50ms}
steps:
  - decode: json
to: {file: 'out/$(.n).xml', exists: number, create: yes}
effect: rename
expect: {file: 'camt-*.xml', by: '07:30', runbook: 'https://wiki.example.net/bank-file'}
"""


def clock_at(hour, minute, second):
    """A zone in which it is that time now."""
    now = datetime.datetime.now(datetime.timezone.utc)
    ahead = (hour * 3600 + minute * 60 + second - now.hour * 3600 - now.minute * 60 - now.second) % 86400
    ahead = ahead - 86400 if ahead > 43200 else ahead
    return f"XXX{'-' if ahead >= 0 else '+'}{abs(ahead) // 3600:02d}:{abs(ahead) // 60 % 60:02d}:{abs(ahead) % 60:02d}"


def begin(site):
    site.flow(FLOW)
    zone = clock_at(7, 29, 57)
    site.start(env={"TZ": zone})
    page = runbook.Page(site, "bank-file-missing", env={"TZ": zone})
    site.drop("drop/bank/readme.txt", json.dumps({"n": "other"}))  # it came under another name
    wait(lambda: site.ask("expect", "list", "--missed")["expectations"], 20, "the miss")
    return page


@test("the page for a bank's file that is missing: each cause is found as it says, and what comes late ends it")
def late(site):
    page = begin(site)
    page.type("ferrule expect list --missed")
    check("bank-statements" in site.do("expect", "list", "--name", "bank-statements"), "the next command of what is shown")
    page.type("ferrule status")
    check("archive" in page.type("ls -la drop/bank"), "the folder")
    page.type("ferrule status")

    site.drop("drop/bank/camt-1.xml", json.dumps({"n": "other"}))  # the same as before, under its name: no news
    page.words.update({"FILE-NAME": "camt-1.xml", "FILE": "drop/bank/.again.xml"})
    wait(lambda: "duplicate" in site.type("trace", "camt-1.xml")[1], 10, "the duplicate")
    check("duplicate" in page.type("ferrule trace"), "the trace")
    site.write("drop/bank/.again.xml", json.dumps({"n": "other"}))
    page.words["--again"] = "--again --name camt-1.xml"
    page.type("ferrule send bank-statements")

    site.drop("drop/bank/camt-2.xml", b'{"n"')
    wait(site.dead, 10, "the one that dies")
    check("camt-2.xml" in page.type("ferrule dead list --flow bank-statements"), "the letter")
    wait(lambda: not site.ask("expect", "list", "--missed")["expectations"], 10, "it to be over")
    site.do("dead", "discard", str(site.dead()[0]["number"]), "--reason", "asked for another")
    check("No problems" in site.do("status", "--problems"), "it is not over")
    page.over(["ferrule expect close"])


@test("the page for a bank's file that will not come: a person closes it")
def never(site):
    page = begin(site)
    page.type("ferrule expect close 1")
    equal(site.ask("expect", "list", "--missed")["expectations"], [], "what is missed")
    check("No problems" in site.do("status", "--problems"), "it is not over")


main()
