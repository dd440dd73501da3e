#!/usr/bin/env python3
"""Backup and restore of a site on RabbitMQ and PostgreSQL: the backup is made while load runs, then everything is destroyed (both
servers, vault and data), and after the restore each document that the backup knew is delivered exactly once or in doubt."""
import collections
import json
import os
import shutil
import subprocess
import time

from bed import Site, Target, check, equal, main, test, wait
from servers import Servers

FLOWS = """
flow: intake
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 50ms}
steps: [{decode: json}]
publish: thing.v1
---
flow: copy
owner: tests
subscribe: thing.v1
steps: [{encode: json}]
to: {file: 'out/$(.n).json', exists: refuse, create: yes}
effect: rename
---
flow: to-keyed
owner: tests
subscribe: thing.v1
steps: [{encode: json}]
to: {operation: keyed.put}
effect: {key: 'thing-$(.n)', remembers: 24h}
---
flow: to-blind
owner: tests
subscribe: thing.v1
steps: [{encode: json}]
to: {operation: blind.put}
effect: none
---
flow: collected
owner: tests
subscribe: thing.v1
steps:
  - collect: {count: 7, within: 3s}
  - map: {jq: '{n: "c\\(.[0].n)", all: map(.n)}'}
  - encode: json
to: {operation: keyed.put}
effect: {key: 'collection-$(.n)', remembers: 24h}
---
flow: refused
owner: tests
subscribe: thing.v1
steps:
  - filter: .n % 10 == 0
  - validate: {contract: never/v1}
to: {file: 'never/$(.n).json', create: yes}
effect: rename
---
flow: alerts
owner: tests
subscribe: ferrule.dead-letter.v1
to: {file: 'alerts/$(.message).json', create: yes, exists: number}
effect: rename
"""
NEVER = '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["never"]}'
COUNT = 100


def drop(site, first, last):
    for n in range(first, last + 1):
        site.drop(f"in/{n:04}.json", json.dumps({"n": n, "text": "x" * 2000}))


def quiet(site, seconds=60):
    """Nothing waits any more but what waits for a person."""
    def done():
        status = site.status()
        return all(q["ready"] == 0 and q["unsettled"] == 0 for q in status["queues"]) and not status.get("parked")
    wait(done, seconds, "everything to be decided")
    time.sleep(1)
    wait(done, seconds, "everything to be decided")


def prepare(site, servers, keyed, blind):
    site.write("flows/all.yaml", FLOWS.lstrip("\n"))
    site.write("canonical/never/v1.schema.json", NEVER)
    site.system("keyed", keyed.url)
    site.system("blind", blind.url)
    servers.choose(site)


def collections_of(keyed):
    """What the target took, by effect: the numbers in each collection."""
    return [effect["body"]["all"] for effect in keyed.effects() if effect["path"].startswith("/c")]


@test("a backup made under load, with all servers destroyed behind it, comes back: everything once or in doubt")
def under_load(site):
    keyed, blind = Target(site, "keyed", "--idempotent", "--slow", "50"), Target(site, "blind", "--slow", "50")
    servers = Servers()
    where = os.path.join(site.root, "backup")
    try:
        prepare(site, servers, keyed, blind)
        site.start()
        drop(site, 1, COUNT)
        wait(lambda: len(site.files("out")) > COUNT // 5, 40, "a part of it")
        known = set(site.files("archive") if site.files("archive") else [])
        letters = site.dead()
        if letters:
            site.do("dead", "discard", str(letters[0]["number"]), "--reason", "seen")
        made = site.ask("backup", where)
        equal(site.ask("backup", "--verify", where)["result"], "a whole backup", "verified")
        in_hand = sum(q["ready"] + q["unsettled"] for q in site.status()["queues"])
        print(f"# {made['files']} files, about {in_hand} messages in the broker's queues then")
        wait(lambda: len(site.files("out")) == COUNT, 60, "all of it")
        time.sleep(4)
        quiet(site)
        before = {name: os.stat(site.at("out", name)).st_ino for name in site.files("out")}
        site.kill_all()
    finally:
        servers.down()
    shutil.rmtree(site.at("data"))
    servers = Servers()
    try:
        for name in ("amqp", "postgresql"):
            os.unlink(site.at("secrets", name))
        site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 2}\n")
        servers.choose(site)
        said = site.do("restore", where, timeout=120)
        check("restored" in said, said)
        again = site.type("restore", where)
        check(again[0] == 1 and "has data already" in again[2], again)
        site.start()
        quiet(site, 90)
        equal({name: os.stat(site.at("out", name)).st_ino for name in site.files("out")}, before, "files: none was written again")
        sent = collections.Counter(blind.paths())
        equal([path for path, count in sent.items() if count > 1], [], "sent blindly")
        equal(len(sent), COUNT, "each was sent once")
        check({d["endpoint"] for d in site.doubts()} <= {"to-blind", "collected"}, "doubts where nobody can know", site.doubts()[:2])
        codes = {doubt["detail"]["code"] for doubt in site.doubts()}
        check(codes <= {"effect.restored", "effect.interrupted"}, codes)
        members = collections.Counter(n for one in collections_of(keyed) for n in one)
        equal([n for n, count in members.items() if count > 1], [], "collected twice")
        equal(sorted(members), list(range(1, COUNT + 1)), "everything was collected once")
        open_letters = [letter for letter in site.dead()]
        check(len(open_letters) <= COUNT // 10, open_letters)
        if letters:
            check(letters[0]["number"] not in [letter["number"] for letter in open_letters], "what a person discarded is open again")
        equal(site.type("audit", "verify")[0], 0, "the trail goes on")
        drop(site, COUNT + 1, COUNT + 7)
        wait(lambda: len(site.files("out")) == COUNT + 7, 30, "what is new")
        wait(lambda: len(set(blind.paths())) == COUNT + 7, 30, "what is new, sent")
        check(known is not None, "")
    finally:
        servers.down()


@test("what was in the broker's queues and nowhere else comes back")
def in_queues(site):
    keyed, blind = Target(site, "keyed", "--idempotent"), Target(site, "blind")
    servers = Servers()
    where = os.path.join(site.root, "backup")
    try:
        prepare(site, servers, keyed, blind)
        site.start()
        for endpoint in ("copy", "to-keyed", "to-blind", "collected", "alerts"):
            site.do("hold", endpoint, "--until", "1h")
        drop(site, 1, 20)
        wait(lambda: sum(q["ready"] for q in site.status()["queues"] if q["flow"] in ("copy", "to-keyed")) >= 40, 30, "they wait")
        wait(lambda: sum(q["ready"] for q in site.status()["queues"] if q["flow"] == "alerts") == 2, 30, "alerts wait, too")
        site.do("backup", where)
        site.kill_all()
    finally:
        servers.down()
    shutil.rmtree(site.at("data"))
    servers = Servers()
    try:
        for name in ("amqp", "postgresql"):
            os.unlink(site.at("secrets", name))
        site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 2}\n")
        servers.choose(site)
        site.do("restore", where, timeout=120)
        site.start()
        for endpoint in ("copy", "to-keyed", "to-blind", "collected", "alerts"):
            site.do("resume", endpoint)
        wait(lambda: len([p for p in set(keyed.paths()) if not p.startswith("/c")]) == 20, 40, "what the keyed target gets")
        wait(lambda: len([d for d in site.doubts() if d["endpoint"] == "to-blind"]) == 20, 40, "doubts of the blind one")
        wait(lambda: len(site.files("out")) + len([d for d in site.doubts() if d["endpoint"] == "copy"]) == 20, 40, "files, or their doubts")
        equal(blind.paths(), [], "sent blindly")
        wait(lambda: len(site.files("alerts")) + len([d for d in site.doubts() if d["endpoint"] == "alerts"]) == 2, 20, "the alerts")
    finally:
        servers.down()


@test("a backup of a site on several machines goes on on one")
def to_one(site):
    keyed, blind = Target(site, "keyed", "--idempotent"), Target(site, "blind")
    servers = Servers()
    where = os.path.join(site.root, "backup")
    try:
        prepare(site, servers, keyed, blind)
        site.start()
        drop(site, 1, 5)
        site.wait_files("out", 5, 30)
        site.do("backup", where)
        site.kill_all()
    finally:
        servers.down()
    shutil.rmtree(site.at("data"))
    site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 2}\n")
    site.do("restore", where)
    site.start()
    quiet(site)
    check(site.ask("trace", "0003.json")["found"], "lineage came along")
    equal(len(set(blind.paths())), len(blind.paths()), "sent blindly")
    drop(site, 6, 6)
    wait(lambda: len(site.files("out")) == 6, 20, "what is new")


main()
