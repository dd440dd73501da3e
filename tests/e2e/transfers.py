#!/usr/bin/env python3
"""Transfers: a flow with a schedule. Runs when they are due, missed ones as configured, remembered over a restart."""
import json
import os
import time

from bed import Skip, check, equal, has_faults, main, test, wait

FILES = """
transfer: NAME
owner: treasury
from: {file: 'in/*.sta', after: delete, age: 0s, interval: 100ms}
to: {file: 'out/$($envelope.name)', exists: refuse, create: yes}
effect: rename
"""
OTHER = FILES.replace("in/", "in2/").replace("out/", "out2/")


def transfer(site, name, text, base=FILES):
    os.makedirs(site.at("in"), exist_ok=True)
    os.makedirs(site.at("in2"), exist_ok=True)
    site.write(f"transfers/{name}.yaml", base.lstrip("\n").replace("NAME", name) + text)


def state(site, name):
    entries = site.ask("table", "list", "ferrule-schedules")["entries"]
    return next((entry["value"] for entry in entries if entry["key"] == name), None)


def remember(site, name, **values):
    """What the store is to remember of a source, the site being down."""
    site.do("table", "put", "ferrule-schedules", name, json.dumps(values), "--site", site.path)


def now():
    return int(time.time() * 1000)


@test("a transfer with an interval takes what is there when it is due, and not before")
def interval(site):
    transfer(site, "nightly", "schedule: {every: 4s}\n")
    site.start()
    # right behind a run, so that there is time to see that nothing happens
    wait(lambda: state(site, "nightly") and state(site, "nightly").get("ended"), 10, "the first run")
    site.drop("in/1.sta", "first")
    time.sleep(1)
    equal(site.files("out"), [], "what was taken between two runs")
    site.wait_files("out", 1, 8)
    wait(lambda: state(site, "nightly")["result"] == "done", 5, "the run's end")
    seen = state(site, "nightly")
    equal((seen["name"], seen["taken"], seen["last"] % 4000), ("1.sta", 1, 0), "what is remembered")


@test("a run that fell into a standstill is made up for once, and with `missed: skip` not at all")
def missed(site):
    transfer(site, "once", "schedule: '0 3 * * *'\nzone: Europe/Berlin\n")
    transfer(site, "skip", "schedule: {cron: '0 3 * * *', missed: skip}\n", OTHER)
    remember(site, "once", last=now() - 3 * 86400000)
    remember(site, "skip", last=now() - 3 * 86400000)
    site.drop("in/1.sta", "one")
    site.drop("in2/2.sta", "two")
    site.start()
    site.wait_files("out", 1, 10)
    wait(lambda: state(site, "skip").get("missed"), 5, "the skipped runs")
    wait(lambda: state(site, "once").get("ended"), 5, "the run's end")
    time.sleep(0.5)
    equal((site.files("out"), site.files("out2")), (["1.sta"], []), "what was taken")
    check(state(site, "once")["missed"] in (1, 2, 3), "missed", state(site, "once"))
    check(now() - state(site, "skip")["last"] < 86400000, "skipped up to now", state(site, "skip"))


@test("a restart does not run again what has run")
def restart(site):
    transfer(site, "nightly", "schedule: '0 3 * * *'\n")
    remember(site, "nightly", last=now() - 3 * 86400000)
    site.start()
    wait(lambda: state(site, "nightly").get("ended"), 10, "the run")
    began = state(site, "nightly")["began"]
    site.stop()
    site.drop("in/1.sta", "later")
    site.start()
    time.sleep(1.5)
    equal((site.files("out"), state(site, "nightly")["began"]), ([], began), "after the restart")


@test("a run killed in the middle is done again, and takes nothing twice")
def killed(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    transfer(site, "nightly", "schedule: '0 3 * * *'\n")
    remember(site, "nightly", last=now() - 3 * 86400000)
    for n in range(3):
        site.drop(f"in/{n}.sta", f"file {n}")
    site.start(env={"FERRULE_FAULTS": "turns.ended:1=kill", "FERRULE_FAULT_MARKS": site.work}, ready=False)
    wait(lambda: os.path.exists(os.path.join(site.work, "turns.ended.struck")), 15, "the fault")
    site.drop("in/3.sta", "file 3")
    wait(lambda: state(site, "nightly").get("ended"), 10, "the run's end")
    equal(site.files("out"), ["0.sta", "1.sta", "2.sta", "3.sta"], "what arrived")


@test("with `for` a run goes on looking until the file comes")
def looks_on(site):
    transfer(site, "nightly", "schedule: {cron: '0 3 * * *', for: 1h}\n")
    remember(site, "nightly", last=now() - 3 * 86400000)
    site.start()
    time.sleep(1)
    equal(state(site, "nightly").get("ended"), None, "the run's end")
    site.drop("in/late.sta", "late")
    site.wait_files("out", 1, 5)
    wait(lambda: state(site, "nightly").get("result") == "done", 5, "the run's end")


@test("outside of its window nothing is asked, though it goes by arrival")
def window(site):
    # a window in the zone where it is noon at most an hour from now is shut: 12 hours away
    hour = (time.gmtime().tm_hour + 12) % 24
    transfer(site, "shut", f"window: {{from: '{hour:02}:00', to: '{(hour + 1) % 24:02}:00'}}\n")
    transfer(site, "open", f"window: {{from: '{(hour + 2) % 24:02}:00', to: '{hour:02}:00'}}\n", OTHER)
    site.drop("in/1.sta", "one")
    site.drop("in2/2.sta", "two")
    site.start()
    site.wait_files("out2", 1, 10)
    time.sleep(0.5)
    equal((site.files("out"), site.files("out2")), ([], ["2.sta"]), "what was taken")
    check(site.status()["endpoints"]["shut"]["next"] > now(), "when it opens", site.status()["endpoints"]["shut"])


@test("a flow takes what a transfer receives, with the working day that it belongs to")
def taken(site):
    site.write("calendars/none.yaml", "calendar: none\ndays: [mon, tue, wed, thu, fri, sat, sun]\nholidays: [03-02]\n")
    transfer(site, "bank-in", "calendar: {use: none, cut-off: '16:00'}\nzone: Europe/Berlin\n",
             "transfer: NAME\nowner: treasury\nfrom: {file: 'in/*.sta', after: delete, age: 0s, interval: 100ms}\n")
    site.flow("flow: book\nowner: finance\nfrom: {transfer: bank-in}\n"
              "to: {file: 'out/$($envelope.headers.day)-$($envelope.name)', create: yes}\neffect: rename\n")
    for name, at in (("a", "2026-03-01T14:59:00Z"), ("b", "2026-03-01T15:00:00Z")):
        site.write(f"work/{name}.sta", name)
        stamp = time.mktime(time.strptime(at, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        os.utime(site.at(f"work/{name}.sta"), (stamp, stamp))
    for name in "ab":
        os.rename(site.at(f"work/{name}.sta"), site.at(f"in/{name}.sta"))
    site.start()
    site.wait_files("out", 2, 10)
    equal(site.files("out"), ["2026-03-01-a.sta", "2026-03-03-b.sta"], "the days")


main()
