#!/usr/bin/env python3
"""ferrule backup and restore: one consistent whole while the site works; nothing is sent blindly after it."""
import collections
import json
import os
import shutil
import subprocess

from bed import Target, check, equal, main, test, wait

INTAKE = """
flow: intake
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 50ms}
steps: [{decode: json}]
publish: thing.v1
"""
COPY = """
flow: copy
owner: tests
subscribe: thing.v1
steps: [{encode: json}]
to: {file: 'out/$(.n).json', exists: refuse, create: yes}
effect: rename
"""
KEYED = """
flow: to-keyed
owner: tests
subscribe: thing.v1
steps: [{encode: json}]
to: {operation: keyed.put}
effect: {key: 'thing-$(.n)', remembers: 24h}
"""
BLIND = """
flow: to-blind
owner: tests
subscribe: thing.v1
steps: [{encode: json}]
to: {operation: blind.put}
effect: none
"""
COUNT = 120


def drop(site, first, last, text="x"):
    for n in range(first, last + 1):
        site.drop(f"in/{n:04}.json", json.dumps({"n": n, "text": text}))


def lost(site):
    """The data are gone."""
    site.kill_all()
    os.rename(site.at("data"), site.at("data.lost"))


@test("a backup made in the middle of the work is whole, and after a restore nothing is delivered twice")
def under_load(site):
    keyed, blind = Target(site, "keyed", "--idempotent", "--slow", "100"), Target(site, "blind", "--slow", "100")
    for flow in INTAKE, COPY, KEYED, BLIND:
        site.flow(flow)
    site.system("keyed", keyed.url)
    site.system("blind", blind.url)
    site.start()
    drop(site, 1, COUNT, "x" * 3000)
    site.drop("in/large.json", json.dumps({"n": 9000, "text": "y" * 300_000}))  # a file of its own in the vault
    wait(lambda: len(site.files("out")) > COUNT // 4, 30, "a part of it")
    where = os.path.join(site.root, "backup")
    made = site.ask("backup", where)
    check(made["files"] > 3, made)
    done = subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    equal(done.returncode, 0, done.stdout)
    wait(lambda: len(site.files("out")) == COUNT + 1, 60, "all of it")
    site.idle()
    before = {name: os.stat(site.at("out", name)).st_ino for name in site.files("out")}
    lost(site)
    site.do("restore", where)
    site.start()
    wait(lambda: all(q["ready"] == 0 and q["unsettled"] == 0 for q in site.status()["queues"]), 40, "what was under way to be decided")
    equal({name: os.stat(site.at("out", name)).st_ino for name in site.files("out")}, before, "files: none was written again")
    times = collections.Counter(blind.paths())
    equal([path for path, count in times.items() if count > 1], [], "sent blindly")
    equal(len(times), COUNT + 1, "everything was sent once")
    equal({doubt["endpoint"] for doubt in site.doubts()} - {"to-blind"}, set(), "only where nobody can know")
    codes = {doubt["detail"]["code"] for doubt in site.doubts()}
    check("effect.restored" in codes and codes <= {"effect.restored", "effect.interrupted"}, codes)
    equal(site.dead(), [], "dead letters")
    records = [json.loads(line)["what"] for line in site.do("audit", "show", "--json", "--limit", "1000").splitlines()]
    check("restore" in records and "backup" in records, records)
    equal(site.type("audit", "verify")[0], 0, "the trail goes on")


@test("what comes after the restore is delivered as ever, and what a person resends, too")
def afterwards(site):
    blind = Target(site, "blind")
    for flow in INTAKE, BLIND:
        site.flow(flow)
    site.system("blind", blind.url)
    site.start()
    equal(site.type("hold", "to-blind", "--until", "1h")[0], 0, "hold")
    drop(site, 1, 1)
    wait(lambda: any(q["flow"] == "to-blind" and q["ready"] for q in site.status()["queues"]), 20, "one waits")
    where = os.path.join(site.root, "backup")
    site.do("backup", where)
    lost(site)
    site.do("restore", where)
    site.start()
    site.do("resume", "to-blind")
    wait(lambda: site.doubts(), 20, "the doubt")
    equal(blind.paths(), [], "not sent")
    site.do("doubt", "resend", site.doubts()[0]["key"], "--note", "it is not there")
    wait(lambda: blind.paths() == ["/1"], 20, "what a person sends again")
    drop(site, 2, 2)
    wait(lambda: blind.paths() == ["/1", "/2"], 20, "what is new")


GATHER = """
flow: gather
owner: tests
subscribe: thing.v1
steps:
  - collect: {count: 100, within: 3s}
  - map: {jq: '{n: "all", all: map(.n)}'}
  - encode: json
to: {operation: NAME.put}
effect: EFFECT
"""


@test("a collection that was open at the backup, and was published since, is not published once more")
def collected(site):
    keyed, blind = Target(site, "keyed", "--idempotent"), Target(site, "blind")
    site.flow(INTAKE)
    site.flow(GATHER.replace("flow: gather", "flow: gather-keyed").replace("NAME", "keyed").replace("EFFECT", "{key: 'all-$(.all[0])', remembers: 24h}"))
    site.flow(GATHER.replace("flow: gather", "flow: gather-blind").replace("NAME", "blind").replace("EFFECT", "none"))
    site.flow(GATHER.replace("flow: gather", "flow: gather-files").replace("operation: NAME.put", "file: 'all/$(.all[0]).json', create: yes, exists: number")
              .replace("EFFECT", "rename"))
    site.system("keyed", keyed.url)
    site.system("blind", blind.url)
    site.start()
    drop(site, 1, 3)
    wait(lambda: sum(c["count"] for c in site.ask("collect", "list")["collections"]) == 9, 10, "three open collections of three")
    where = os.path.join(site.root, "backup")
    site.do("backup", where)
    drop(site, 4, 4)  # it goes into the same ones, and comes again behind the restore
    wait(lambda: keyed.paths() and blind.paths() and site.files("all"), 20, "the results")
    site.idle()
    equal(sorted(blind.effects()[0]["body"]["all"]), [1, 2, 3, 4], "the result before")
    lost(site)
    site.do("restore", where)
    site.start()
    wait(lambda: len(site.doubts()) == 3, 20, "what nobody can know: the bytes are not those that were sent")
    drop(site, 5, 5)
    wait(lambda: len(keyed.paths()) == 2 and len(blind.paths()) == 2 and len(site.files("all")) >= 2, 20, "what is new, in results of its own")
    site.idle()
    equal([sorted(e["body"]["all"]) for e in blind.effects()], [[1, 2, 3, 4], [5]], "sent blindly")
    equal([sorted(e["body"]["all"]) for e in keyed.effects()], [[1, 2, 3, 4], [5]], "to a target whose key says nothing of the content")
    equal({d["detail"]["code"] for d in site.doubts()}, {"effect.restored"}, "doubts")
    equal(len(site.files("all")), 2, "files")


@test("a backup shares what the one before has, and says what is damaged")
def shared(site):
    for flow in INTAKE, COPY:
        site.flow(flow)
    site.drop("in/large.json", json.dumps({"n": 1, "text": "y" * 300_000}))
    site.run_until_idle()
    one, two = os.path.join(site.root, "one"), os.path.join(site.root, "two")
    site.ask("backup", one)
    check(site.ask("backup", two, "--previous", one)["linked"] >= 1, "linked")
    large = [os.path.join(path, name) for path, _, names in os.walk(os.path.join(two, "vault", "files")) for name in names]
    check(any(os.stat(path).st_nlink == 2 for path in large), large)
    equal(site.ask("backup", "--verify", two)["result"], "a whole backup", "verified")
    equal(site.type("backup", two)[0], 1, "a directory that is there")
    code, _, said = site.type("backup", "data/../data/monday")
    check(code == 1 and "lies in the site's own data" in said and not os.path.exists(site.at("data", "monday")), "beside what it saves:", code, said)
    with open(os.path.join(one, "data", "site.db"), "r+b") as file:
        file.seek(5000)
        file.write(b"damage")
    code, _, err = site.type("backup", "--verify", one)
    check(code == 1 and "data/site.db" in err and "SHA256SUMS" in err, err)
    code, _, err = site.type("restore", two)
    check(code == 1 and "has data already" in err, err)
    shutil.move(site.at("data"), site.at("data.before"))
    code, _, err = site.type("restore", one)
    check(code == 1 and "SHA256SUMS" in err, err)
    check(not os.path.exists(site.at("data/site.db")) or site.type("restore", two)[0] == 1, "half a restore is no site")
    os.unlink(os.path.join(two, "backup.json"))
    check("no whole backup" in site.type("restore", two)[2], "not whole")


main()
