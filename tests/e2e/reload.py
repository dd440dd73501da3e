#!/usr/bin/env python3
"""A changed configuration while messages are under way, and order by key through failures."""
import base64
import collections
import json
import os
import re
import time

from bed import Target, check, equal, main, test, wait

INTAKE = """
flow: intake
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 100ms}
steps:
  - decode: json
  - split: {by: '.[]', id: [.n]}
publish: thing.v1
"""

TO_FILES = """
flow: to-files
owner: tests
subscribe: thing.v1
steps:
  - map: by.jq
to: {file: 'out/$(.n).json', exists: refuse, create: yes}
effect: rename
"""

TO_OTHER = TO_FILES.replace("to-files", "to-other").replace("out/", "other/")


def made_by(site, name):
    site.write("mappings/by.jq", '{n: .n, by: "%s"}\n' % name)


def things(site, first, last):
    site.drop(f"in/{first}.json", [{"n": n} for n in range(first, last)])


@test("SIGHUP takes a good configuration, says why it keeps the old one for a broken one, and nothing is lost meanwhile")
def good_and_broken(site):
    site.flow(INTAKE)
    site.flow(TO_FILES)
    made_by(site, "first")
    site.start()
    things(site, 0, 100)
    site.wait_files("out", 100)
    before = site.status()["revision"]
    check("nothing changed" in site.reload(), "nothing was changed")
    site.flow(TO_FILES.replace("steps:", "stepps:"))
    said = site.reload()
    check("refused" in said and "error" in said, said)
    check(site.said("flows/to-files.yaml:"), "says where")
    equal(site.status()["revision"], before, "the revision")
    things(site, 100, 150)
    site.wait_files("out", 150)
    site.flow(TO_FILES)
    made_by(site, "second")
    things(site, 150, 400)
    check("reloaded" in site.reload(), "reload")
    check(site.status()["revision"] != before, "another revision")
    things(site, 400, 450)
    site.wait_files("out", 450)
    site.idle()
    by = collections.Counter()
    for n in range(450):
        with open(site.at(f"out/{n}.json")) as file:
            made = json.load(file)
        by[made["by"]] += 1
        check(made["by"] == ("first" if n < 150 else made["by"]), n, "was made by", made["by"])
        check(n < 400 or made["by"] == "second", n, "was made by", made["by"])
    print("#", dict(by))
    equal(site.dead(), [], "dead letters")


@test("a mapping that does not compile is told once in a reload")
def told_once(site):
    site.flow(INTAKE)
    site.flow(TO_FILES)
    made_by(site, "first")
    site.start()
    before = os.path.getsize(site.log_path)
    site.write("mappings/by.jq", "{n: .n, by: nothing}\n")
    check("refused" in site.reload(), "a reload that is refused")
    with open(site.log_path, encoding="utf-8") as file:
        said = file.read()[before:]
    equal(said.count("nothing/0 is not defined"), 1, said)


@test("a removed flow finishes what its queues still hold, under the rules that accepted it, and gets nothing new")
def removed_flow(site):
    site.flow(INTAKE)
    site.flow(TO_FILES)
    site.flow(TO_OTHER)
    made_by(site, "first")
    site.start()
    things(site, 0, 3)
    site.wait_files("other", 3)
    site.do("hold", "to-other", "--until", "10m")
    things(site, 3, 40)
    site.wait_files("out", 40)
    os.unlink(site.at("flows/to-other.yaml"))
    check("reloaded" in site.reload(), "reload")
    things(site, 40, 50)
    site.wait_files("out", 50)
    equal(len(site.files("other")), 3, "while it is held")
    site.do("resume", "to-other")
    site.wait_files("other", 40)
    site.idle()
    time.sleep(0.3)
    equal(site.files("other"), sorted(f"{n}.json" for n in range(40)), "delivered by the removed flow")
    equal(site.dead(), [], "dead letters")


@test("what a removed flow still holds is finished after a restart, too")
def removed_and_restarted(site):
    site.flow(INTAKE)
    site.flow(TO_FILES)
    site.flow(TO_OTHER)
    made_by(site, "first")
    site.start()
    things(site, 0, 1)
    site.wait_files("other", 1)
    site.do("hold", "to-other", "--until", "2s")
    things(site, 1, 20)
    site.wait_files("out", 20)
    site.stop()
    os.unlink(site.at("flows/to-other.yaml"))
    site.start()
    site.wait_files("other", 20, 15)
    equal(site.dead(), [], "dead letters")


ORDERED = """
flow: to-target
owner: tests
subscribe: thing.v1
order: {by: .key, on-reject: hold}
steps: [{encode: json}]
to: {operation: target.put}
effect: {key: '$(.key)-$(.n)', remembers: 24h}
retry: {for: 1h, from: 50ms, to: 200ms}
"""


def per_key(paths):
    found = collections.defaultdict(list)
    for path in paths:
        key, n = re.fullmatch(r"/([^/]+)/(\d+)", path).groups()
        found[key].append(int(n))
    return found


def ordered_site(site, target, *, transform=4, more=""):
    site.write("site.yaml", f"name: e2e\nlimits: {{disk-reserve: 1MiB}}\nprocesses: {{transform: {transform}}}\n")
    site.flow(INTAKE.replace(".n]", ".key, .n]") + "order: {by: '\"all\"', on-reject: continue}\n")
    site.flow(ORDERED)
    site.system("target", target.url, operations="  put: {method: POST, path: '/$(.key)/$(.n)'}", more="parallel: 8\n" + more)


@test("each key stays in order through four transform processes and a target that fails now and then")
def order_with_retries(site):
    target = Target(site, "target", "--idempotent", "--fail-every", "7", "--status", "503", "--retry-after", "0")
    ordered_site(site, target)
    site.start()
    began = time.monotonic()
    for batch in range(10):
        site.drop(f"in/{batch:02d}.json", [{"n": batch * 30 + i, "key": f"k{i % 6}"} for i in range(30)])
    wait(lambda: len(target.paths()) >= 300, 60, "all of them")
    print(f"# 300 in order took {time.monotonic() - began:.1f} s")
    site.idle()
    found = per_key(target.paths())
    equal(sorted(found), [f"k{i}" for i in range(6)], "keys")
    for key, numbers in found.items():
        equal(numbers, sorted(numbers), f"the order of {key}")
        equal(len(numbers), 50, f"the number of {key}")


@test("a message that the target does not answer holds up its key alone, which goes on in order when it does")
def one_key_waits(site):
    target = Target(site, "target", "--idempotent", "--hang", "/a/0")
    ordered_site(site, target, more="timeout: 300ms\n")
    site.start()
    site.drop("in/1.json", [{"n": 0, "key": "a"}] + [{"n": n, "key": "ab"[n % 2]} for n in range(1, 21)])
    wait(lambda: len(target.paths()) >= 10, 10, "the other key")
    time.sleep(0.5)
    found = per_key(target.paths())
    equal(found.get("a"), None, "the key that waits")
    equal(found["b"], list(range(1, 21, 2)), "the other key")
    equal(site.dead(), [], "dead letters")
    target.stop()
    Target(site, "target", "--idempotent", port=target.port)
    wait(lambda: len(target.paths()) >= 21, 15, "the rest, once the target takes it")
    equal(per_key(target.paths())["a"], list(range(0, 21, 2)), "the key that waited")


@test("a dead letter holds its key until it is replayed or discarded, in order")
def dead_letter_holds(site):
    target = Target(site, "target", "--idempotent")
    ordered_site(site, target)
    site.flow(ORDERED.replace("[{encode", "[{map: bad.jq}, {encode"))
    site.write("mappings/bad.jq", 'if .bad then error("bad") else . end\n')
    site.start()
    site.drop("in/1.json", [{"n": 1, "key": "a"}, {"n": 2, "key": "a", "bad": True}, {"n": 3, "key": "a"}, {"n": 4, "key": "a"},
                            {"n": 1, "key": "b"}, {"n": 2, "key": "b", "bad": True}, {"n": 3, "key": "b"}, {"n": 1, "key": "c"}])
    wait(lambda: len(site.dead()) == 2 and len(target.paths()) == 3, 10, "two dead letters and three deliveries")
    site.drop("in/2.json", [{"n": 5, "key": "a"}, {"n": 2, "key": "c"}])
    wait(lambda: len(target.paths()) == 4, 10, "the key that nothing holds")
    time.sleep(0.5)
    found = per_key(target.paths())
    equal((found["a"], found["b"], found["c"]), ([1], [1], [1, 2]), "before")
    by_key = {json.loads(base64.b64decode(site.letter(letter["number"])["content"]))["key"]: letter["number"] for letter in site.dead()}
    site.flow(ORDERED)
    check("reloaded" in site.reload(), "reload")
    site.do("dead", "replay", str(by_key["a"]))
    site.do("dead", "discard", str(by_key["b"]), "--reason", "not wanted")
    wait(lambda: len(target.paths()) == 9, 15, "the rest")
    site.idle()
    found = per_key(target.paths())
    equal(found["a"], [1, 2, 3, 4, 5], "the key whose letter was replayed")
    equal(found["b"], [1, 3], "the key whose letter was discarded")


@test("what is refused is told to the topic that the flow names, with reason, step, position and content")
def refusals(site):
    target = Target(site, "target", "--reject", "unwanted")
    site.flow(INTAKE + "on-reject: {publish: refused.v1}\n")
    site.flow(INTAKE.replace("intake", "other").replace("in/*", "in2/*").replace("- split", "- map: five.jq\n  - split")
              + "on-reject: {publish: refused.v1}\n")
    site.write("mappings/five.jq", 'map(if .n == 5 then error("five") else . end)\n')
    site.system("target", target.url)
    site.flow("""
flow: to-target
owner: tests
subscribe: thing.v1
steps: [{encode: json}]
to: {operation: target.put}
effect: {key: '$(.n)', remembers: 24h}
on-reject: {publish: refused.v1}
""")
    site.flow("""
flow: complaints
owner: tests
subscribe: refused.v1
steps: [{encode: json}]
to: {file: 'complaints/$(.flow)-$(.code).json', exists: refuse, create: yes}
effect: rename
""")
    site.start()
    site.drop("in/broken.json", '[{"n": 1}, ')
    site.drop("in2/five.json", [{"n": 5}])
    site.drop("in/good.json", [{"n": 2, "text": "unwanted"}, {"n": 3}])
    site.wait_files("complaints", 3)
    site.idle()
    complaints = {}
    for name in site.files("complaints"):
        with open(site.at("complaints", name)) as file:
            complaint = json.load(file)
            complaints[complaint["flow"]] = complaint
    equal(sorted(complaints), ["intake", "other", "to-target"], "told by")
    broken = complaints["intake"]
    equal((broken["code"], broken["step"], broken["document"]), ("json.syntax", "decode:json", "broken.json"), "the broken one")
    check("line 1" in broken["position"] and broken["content"] == '[{"n": 1}, ', broken)
    check("five" in complaints["other"]["reason"], complaints["other"])
    check("unwanted" in complaints["to-target"]["content"], complaints["to-target"])
    equal(len(site.dead()), 3, "dead letters")
    equal(target.paths(), ["/3"], "effects")


main()
