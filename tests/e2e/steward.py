#!/usr/bin/env python3
"""The steward: one step that fails or hangs holds up no other, and what waited for long is kept when it goes on."""
import glob
import json
import os
import time

from bed import Skip, check, equal, has_faults, main, read, test, wait

COLLECT = """
flow: NAME
owner: NAME-team
from: {file: 'NAME/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
  - collect: {by: .k, count: 2}
  - map: {jq: '{k: .[0].k, n: length}'}
to: {file: 'out/NAME-$(.k).json', exists: refuse, create: yes}
effect: rename
"""

SEQUENCE = """
flow: sequence
owner: tests
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
  - resequence: {by: .k, number: .n}
to: {file: 'out/$(.n).json', exists: refuse, create: yes}
effect: rename
"""


def vault_files(site):
    """Large documents; the site's own configuration left out."""
    return [path for path in glob.glob(site.at("data/vault/files/*/*")) if b"x" * 50_000 in read(path)]


@test("a step that fails again and again is told of, and the others go on; repaired, it goes on by itself")
def one_fails(site):
    for name in ("bad", "good"):
        site.flow(COLLECT.replace("NAME", name))
    site.start()
    site.drop("bad/1.json", {"k": "a", "text": "x" * 100_000})
    wait(lambda: site.ask("collect", "list")["collections"], 10, "the first member")
    aside = {path: os.path.join(site.work, os.path.basename(path)) for path in vault_files(site)}
    check(aside, "no large body lies in the vault")
    for path, kept in aside.items():
        os.rename(path, kept)
        os.symlink(kept, path)  # the vault follows no link: it cannot be read
    site.drop("bad/2.json", {"k": "a", "text": "y"})
    problem = wait(lambda: [p for p in site.status()["problems"] if "in.bad/" in p["what"]], 10, "the problem to be told")
    equal(problem[0]["owner"], "bad-team", "whose it is")
    for n in range(4):
        site.drop(f"good/{n}.json", {"k": f"g{n // 2}", "n": n})
    site.wait_files("out", 2, 5)
    equal(site.files("out"), ["good-g0.json", "good-g1.json"], "the other flow's")
    for path, kept in aside.items():
        os.rename(kept, path)
    site.wait_files("out", 3, 15)
    equal(json.loads(read(site.at("out", "bad-a.json")))["n"], 2, "members of the repaired one")
    wait(lambda: not site.status()["problems"], 10, "no problem to be left")
    equal(site.dead(), [], "dead letters")


@test("a steward that hangs is ended by the watchdog, and the next one does its work")
def hangs(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    site.flow(COLLECT.replace("NAME", "some"))
    site.start("--watchdog", "1s", env={"FERRULE_FAULTS": "steward.made:1=hang", "FERRULE_FAULT_MARKS": site.work})
    for n in range(2):
        site.drop(f"some/{n}.json", {"k": "a", "n": n})
    site.wait_files("out", 1, 10)
    check(site.said("ended by the watchdog"), "the watchdog ended nobody")
    equal(json.loads(read(site.at("out", "some-a.json")))["n"], 2, "members")
    equal(site.dead(), [], "dead letters")


@test("what waited for longer than originals are kept is kept from its release on")
def kept(site):
    site.flow(SEQUENCE)
    site.start()
    site.drop("in/b.json", {"k": "a", "n": 2, "text": "x" * 100_000})
    wait(lambda: site.ask("collect", "list")["collections"], 10, "what waits")
    old = time.time() - 100 * 86400
    paths = vault_files(site)
    check(paths, "no large body lies in the vault")
    for path in paths:
        os.utime(path, (old, old))
    site.drop("in/a.json", {"k": "a", "n": 1})
    site.wait_files("out", 2)
    for path in paths:
        check(os.stat(path).st_mtime > time.time() - 600, "as old as before:", path)
    equal(len(read(site.at("out", "2.json"))) > 100_000, True, "its body")


main()
