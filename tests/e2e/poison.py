#!/usr/bin/env python3
"""Messages that end the process that works on them, and mappings that never end: each is dead by itself, the rest goes through."""
import base64
import json
import os
import re
import signal
import time

from bed import Skip, check, equal, has_faults, is_sanitized, main, test, wait

FLOW = """
flow: orders
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 100ms}
steps:
  - decode: json
to: {file: 'out/$(.n).json', exists: refuse, create: yes}
effect: rename
"""


def orders(site, first, last):
    for n in range(first, last):
        site.drop(f"in/{n:04d}.json", {"n": n})


def site_of(site):
    site.write("site.yaml", "name: poison\nlimits: {disk-reserve: 1MiB, process-memory: 384MiB}\nprocesses: {transform: 2}\n")
    site.flow(FLOW)


@test("of three poisonous documents among 300 each dies after its third death alone, and the rest arrives within seconds")
def three_poisons(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    site_of(site)
    kinds = ["crash", "loop"] + ([] if is_sanitized() else ["memory"])
    orders(site, 0, 100)
    for i, kind in enumerate(kinds):
        site.drop(f"in/0{(i + 1) * 20:03d}-poison-{kind}.json", {"n": f"poison-{kind}"})
    orders(site, 100, 200)
    began = time.monotonic()
    site.start("--watchdog", "1s")
    orders(site, 200, 300)
    site.wait_files("out", 300, 15)
    took = time.monotonic() - began
    wait(lambda: len(site.dead()) == len(kinds), 20, "the poisonous ones to be dead")
    site.idle()
    print(f"# 300 documents among the poisonous ones took {took:.1f} s, all was over after {time.monotonic() - began:.1f} s")
    equal(site.files("out"), sorted(f"{n}.json" for n in range(300)), "delivered")
    letters = {re.search("poison-(.*).json", letter["document"]).group(1): letter for letter in site.dead()}
    equal(sorted(letters), sorted(kinds), "dead")
    for kind, letter in letters.items():
        equal(letter["cause"], "poison", kind)
        check(letter["document"] in site.do("dead", "show", str(letter["number"])), "the letter shows its document")
        check(letter["reason"], kind, "has a reason")
    check("signal 6" in letters["crash"]["reason"], letters["crash"]["reason"])
    check("watchdog" in letters["loop"]["reason"], letters["loop"]["reason"])
    if "memory" in letters:
        check("memory" in letters["memory"]["reason"], letters["memory"]["reason"])
    check(not [name for name in site.files("in")], "all were archived")


@test("a poisonous document is told to the flow's on-reject topic, as any dead letter is")
def told(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    site_of(site)
    site.flow(FLOW + "on-reject: {publish: order.refused.v1}\n")
    site.flow("flow: answers\nowner: tests\nsubscribe: order.refused.v1\nto: {file: 'refused/$(.document)', create: yes, exists: refuse}\neffect: rename\n")
    site.drop("in/poison-crash.json", {"n": "x"})
    site.start()
    # what is told has the document's name, so that it poisons the next flow: that one's letter shows what was told
    wait(lambda: len(site.dead()) == 2, 20, "both to be dead")
    letters = {letter["flow"]: letter for letter in site.dead()}
    refusal = json.loads(base64.b64decode(site.letter(letters["answers"]["number"])["body"]))
    equal((refusal["flow"], refusal["code"], refusal["step"]), ("orders", "poison", "worker"), "the refusal")
    equal(refusal["document"], "poison-crash.json", "its document")


@test("a worker that an operator kills takes no message with it")
def killed_by_an_operator(site):
    site_of(site)
    site.flow(FLOW.replace("decode: json", "decode: json\n  - filter: '[range(20000)] | length > 0'"))
    site.start()
    orders(site, 0, 120)
    kills = 0
    end = time.monotonic() + 20
    while len(site.files("out")) < 120 and time.monotonic() < end:
        for pid in site.processes()["transform"]:
            os.kill(pid, signal.SIGKILL)
            kills += 1
        time.sleep(0.25)
        if kills >= 16:
            break
    site.wait_files("out", 120, 20)
    site.idle()
    check(kills >= 4, "only", kills, "were killed")
    equal(site.dead(), [], "dead letters")
    equal(len(site.files("out")), 120, "delivered")


@test("a mapping that loops for ever or eats memory is refused for its message alone, and the process lives on")
def hostile_mappings(site):
    site.write("site.yaml", "name: poison\nlimits: {disk-reserve: 1MiB, time: 1s, memory: 24MiB}\nprocesses: {transform: 1}\n")
    site.flow(FLOW.replace("- decode: json", "- decode: json\n  - map: hostile.jq"))
    site.write("mappings/hostile.jq", 'def f: f; if .n == "loop" then f elif .n == "memory" then [range(1e9)] else . end\n')
    site.start()
    before = site.processes()["transform"]
    for name in ("loop", "memory"):
        site.drop(f"in/0-{name}.json", {"n": name})
    orders(site, 0, 50)
    site.wait_files("out", 50, 15)
    letters = wait(lambda: len(site.dead()) == 2 and site.dead(), 15, "two dead letters")
    causes = {re.search("0-(.*).json", letter["document"]).group(1): letter for letter in letters}
    equal(causes["loop"]["cause"], "jq.time", "a loop")
    equal(causes["memory"]["cause"], "jq.memory", "an eater of memory")
    for letter in letters:
        equal(letter["step"], "map:hostile.jq", "the step")
    equal(site.processes()["transform"], before, "the process")
    equal(len(site.files("out")), 50, "delivered")


@test("a mapping that overflows the stack by deep nesting is poison to its message, and to no other")
def deep_mapping(site):
    site_of(site)
    site.flow(FLOW.replace("- decode: json", "- decode: json\n  - map: deep.jq"))
    site.write("mappings/deep.jq", 'def g: [.] | g; if .n == "deep" then g else . end\n')
    orders(site, 0, 50)
    site.drop("in/0-deep.json", {"n": "deep"})
    site.start()
    site.wait_files("out", 50, 20)
    letters = wait(lambda: site.dead(), 20, "the dead letter")
    equal(len(letters), 1, "dead letters")
    check(letters[0]["cause"] in ("poison", "jq.time", "jq.memory", "jq.depth"), letters[0]["cause"])
    equal(len(site.files("out")), 50, "delivered")


main()
