#!/usr/bin/env python3
"""What flows can say, from outside: branches, snippets, refusals as messages, tables of files and of the store, several sources."""
import json
import os
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from bed import check, equal, free_port, has_faults, main, read, test, wait  # noqa: E402
from servers import Servers  # noqa: E402


def sink(name, topic):
    return (f"flow: {name}\nowner: test\nsubscribe: {topic}\nto: {{file: '{name}/$(.n).json', create: yes, exists: refuse}}\n"
            "effect: rename\n")


def flow(name, steps, more="publish: done.v1", source="{file: 'in/*.json', age: 0s, interval: 100ms}"):
    return f"flow: {name}\nowner: test\nfrom: {source}\nsteps:\n  - decode: json\n{steps}\n{more}\n"


def contents(site, folder):
    return [json.loads(read(site.at(folder, name))) for name in site.files(folder)]


@test("a route to all delivers along each branch, once, through a run that is killed in between")
def all_branches(site):
    site.flow(flow("orders", """  - split: '.[]'
  - route:
      mode: all
      branches:
        - {when: .a, publish: a.v1, steps: [{map: {jq: '{n, got: .a}'}}]}
        - {when: .b, publish: b.v1}
      otherwise: {publish: none.v1}""", more=""))
    for topic in ("a", "b", "none"):
        site.flow(sink(topic, topic + ".v1"))
    site.drop("in/1.json", [{"n": n, "a": n % 2, "b": n > 5 or None} for n in range(10)] + [{"n": 10, "a": False, "b": False}])
    site.start()
    wait(lambda: site.files("a"), 15, "the first")
    site.kill_all()
    site.run_until_idle()
    equal(contents(site, "a"), [{"n": n, "got": n % 2} for n in range(10)], "along a")
    equal(sorted(d["n"] for d in contents(site, "b")), [6, 7, 8, 9], "along b")
    equal([d["n"] for d in contents(site, "none")], [10], "along otherwise")
    equal(site.dead(), [], "dead letters")


@test("what a step refuses goes on as a message where it says so, and is no dead letter")
def refused(site):
    site.flow(flow("orders", """  - split: '.[]'
  - map: {jq: 'if .bad then error("it is bad") else . end'}
    on-reject: {publish: refused.v1, steps: [{map: {jq: '{n: .body.n, code, step, reason, document}'}}]}"""))
    site.flow(sink("good", "done.v1"))
    site.flow(sink("bad", "refused.v1"))
    site.drop("in/1.json", [{"n": 1}, {"n": 2, "bad": True}])
    site.run_until_idle()
    equal(site.files("good"), ["1.json"], "what went on")
    found = contents(site, "bad")[0]
    equal((found["n"], found["code"], found["step"], found["document"]), (2, "jq.error", "map", "1.json"), "the refusal")
    check("it is bad" in found["reason"], found)
    equal(site.dead(), [], "dead letters")


@test("a dead letter of a snippet's step names the place in the snippet and the place of its use")
def in_a_snippet(site):
    site.write("snippets/tidy.yaml", "snippet: tidy\nparameters: {limit: }\nsteps:\n  - map: {jq: 'if .n > ${limit} then error(\"much\") else . end'}\n")
    site.flow(flow("orders", "  - split: '.[]'\n  - use: {snippet: tidy, with: {limit: 2}}"))
    site.flow(sink("good", "done.v1"))
    site.drop("in/1.json", [{"n": 1}, {"n": 3}])
    site.run_until_idle()
    equal(site.files("good"), ["1.json"], "what went on")
    letter = site.dead()[0]
    equal(letter["step"], "tidy/map", "the step")
    check("in snippets/tidy.yaml:4, used at flows/orders.yaml:7" in letter["reason"], letter["reason"])


@test("a table of the site is looked up, and a changed table is another revision")
def table_file(site):
    site.write("tables/prices.csv", "sku,price\r\nA,1.50\r\n\"B \"\"x\"\"\",2\r\n")
    site.flow(flow("orders", "  - split: '.[]'\n  - enrich: {table: prices.csv, key: .sku, take: price, as: .price, missing: pass}"))
    site.flow(sink("good", "done.v1"))
    site.drop("in/1.json", [{"n": 1, "sku": "A"}, {"n": 2, "sku": 'B "x"'}, {"n": 3, "sku": "C"}])
    site.run_until_idle()
    equal([d.get("price") for d in contents(site, "good")], ["1.50", "2", None], "prices")
    site.write("tables/prices.csv", "sku,price\nC,3\n")
    site.drop("in/2.json", [{"n": 4, "sku": "C"}])
    site.run_until_idle()
    equal(contents(site, "good")[-1]["price"], "3", "the price of the new table")


def store_flows(site):
    os.makedirs(site.at("in"))
    site.flow(flow("customers", "  - split: '.[]'\n  - remember: {store: ids, key: .crm, value: '{erp, n}'}", source="{file: 'customers/*.json', age: 0s, interval: 100ms}", more="publish: learned.v1"))
    site.flow(sink("learned", "learned.v1"))
    site.flow(flow("orders", "  - split: '.[]'\n  - enrich: {store: ids, key: .crm, take: erp, as: .erp}"))
    site.flow(sink("good", "done.v1"))


@test("what a flow remembers is found by another, by the same unit, and by the verb, which writes too")
def table_of_the_store(site):
    store_flows(site)
    site.drop("customers/1.json", [{"n": n, "crm": f"C-{n}", "erp": str(4700 + n)} for n in range(300)])
    site.run_until_idle()
    equal(len(site.files("learned")), 300, "learned")
    site.drop("in/1.json", [{"n": n, "crm": f"C-{n}"} for n in range(0, 300, 7)] + [{"n": 999, "crm": "C-999"}])
    site.run_until_idle()
    equal(sorted((d["n"], d["erp"]) for d in contents(site, "good")), [(n, str(4700 + n)) for n in range(0, 300, 7)], "found")
    letter = site.dead()[0]
    equal((letter["cause"], letter["step"]), ("enrich.missing", "enrich"), "the one that is not known")
    equal(site.do("table", "get", "ids", "C-7"), '{"erp":"4707","n":7}\n', "asked by hand")
    entry = site.ask("table", "list", "ids")["entries"][0]
    check(len(entry["message"]) == 64, entry)
    site.do("table", "put", "ids", "C-999", '{"erp": "9"}')
    site.do("dead", "replay", str(letter["number"]))
    site.run_until_idle()
    equal([d["erp"] for d in contents(site, "good") if d["n"] == 999], ["9"], "after the key was put by hand")
    exported = site.do("table", "export", "ids")
    equal(len(exported.splitlines()), 301, "exported")
    site.do("table", "import", "copy", "-", input=exported)
    equal(site.ask("table", "list"), site.ask("table", "list"), "asked twice")
    equal({t["name"]: t["count"] for t in site.ask("table", "list")["tables"]}, {"ids": 301, "copy": 301}, "tables")
    site.write("more.csv", "crm,erp\nX-1,1\nX-2,2\n")
    site.do("table", "import", "copy", "more.csv")
    equal(site.do("table", "get", "copy", "X-2"), "2\n", "from CSV")
    site.do("table", "remove", "copy", "X-2")
    equal(site.type("table", "get", "copy", "X-2")[0], 1, "asked for what was removed")
    equal(site.type("table", "put", "Copy", "a", "b")[0], 1, "a name that tables do not have")
    equal(site.type("table", "import", "copy", "-", input='{"key": 1}\n')[0], 1, "lines that are no entries")


@test("a unit that looks up what it has just remembered finds it; exists: keep keeps the first")
def same_unit(site):
    site.flow(flow("both", "  - split: '.[]'\n  - remember: {store: seen, key: .k, value: .n, exists: keep}\n"
                   "  - enrich: {store: seen, key: .k, as: .first}"))
    site.flow(sink("good", "done.v1"))
    site.drop("in/1.json", [{"n": 1, "k": "a"}, {"n": 2, "k": "b"}, {"n": 3, "k": "a"}])
    site.run_until_idle()
    equal([d["first"] for d in contents(site, "good")], [1, 2, 1], "what was found")
    equal(site.do("table", "get", "seen", "a"), "1\n", "what was kept")


@test("what a unit remembers is there exactly when the unit is committed")
def with_the_unit(site):
    if not has_faults():
        return
    store_flows(site)
    site.drop("customers/1.json", [{"n": n, "crm": f"C-{n}", "erp": "x"} for n in range(20)])
    site.start(env={"FERRULE_FAULTS": "transform.done:1=kill"}, ready=False)
    wait(lambda: site.said("signal 9") or site.said("SIGKILL") or site.said("killed"), 15, "a worker to die")
    site.kill_all()
    equal(site.ask("table", "list")["tables"], [], "tables of a unit that was never committed")
    site.run_until_idle()
    equal(site.ask("table", "list")["tables"][0]["count"], 20, "entries")
    equal(len(site.files("learned")), 20, "learned")


@test("each mapping of `of` is for its partner; who is not there is dead, with those known")
def partners(site):
    site.write("mappings/acme.jq", "{n, by: \"acme\"}\n")
    site.write("mappings/beta.jq", "{n, by: \"beta\"}\n")
    site.flow(flow("orders", "  - split: '.[]'\n  - map: {by: .p, of: {ACME: acme.jq, BETA: beta.jq}}"))
    site.flow(sink("good", "done.v1"))
    site.drop("in/1.json", [{"n": 1, "p": "ACME"}, {"n": 2, "p": "BETA"}, {"n": 3, "p": "GAMMA"}])
    site.run_until_idle()
    equal([d["by"] for d in contents(site, "good")], ["acme", "beta"], "mapped")
    letter = site.dead()[0]
    equal(letter["cause"], "map.partner", "the cause")
    check("known are ACME, BETA" in letter["reason"], letter["reason"])


SOURCES = """
flow: orders
owner: test
from:
  - {file: 'a/*.json', after: archive, age: 0s, interval: 100ms}
  - {file: 'b/*.json', name: second, after: delete, age: 0s, interval: 100ms}
  - {webhook: /orders, name: hook, verify: none}
steps:
  - decode: json
  - map: {jq: '. + {from: $envelope.source}'}
publish: done.v1
"""


def several_sources(site):
    port = free_port()
    with open(site.at("site.yaml"), "a") as file:
        file.write(f"listen: {{http: {{port: {port}}}}}\n")
    site.flow(SOURCES)
    site.flow(sink("good", "done.v1").replace("$(.n).json", "$(.n)-$($envelope.id).json"))
    for folder in "ab":
        os.makedirs(site.at(folder))

    def told(n, event):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/orders", json.dumps({"n": n}).encode(),
                                         {"content-type": "application/json", "webhook-id": event})
        return urllib.request.urlopen(request, timeout=10).status

    site.start()
    site.drop("a/x.json", {"n": 1})
    site.drop("b/x.json", {"n": 1})
    equal(told(1, "evt-1"), 202, "a webhook")
    site.wait_files("good", 3, 20)
    equal([name.split("-")[0] for name in site.files("good")], ["1", "1", "1"], "the same document from three sources is three")
    equal(sorted(d["from"] for d in contents(site, "good")), ["/e2e/hook", "/e2e/orders", "/e2e/second"], "their sources")
    site.drop("a/y.json", {"n": 1})
    site.drop("b/y.json", {"n": 1})
    equal(told(1, "evt-1"), 202, "the same event again")
    wait(lambda: not site.files("a") and not site.files("b"), 10, "both files to be taken")
    site.idle()
    equal(len(site.files("good")), 3, "after the same came again from each")
    endpoints = site.status()["endpoints"]
    check({"orders", "second"} <= set(endpoints), endpoints)
    site.do("hold", "second", "--until", "10m")
    time.sleep(1.2)  # holds are asked for once a second
    site.drop("b/z.json", {"n": 2})
    site.drop("a/z.json", {"n": 3})
    wait(lambda: any(name.startswith("3-") for name in site.files("good")), 10, "the other source to go on")
    time.sleep(0.5)
    equal(site.files("b"), ["z.json"], "what lies in the source that is held")
    site.do("resume", "second")
    wait(lambda: any(name.startswith("2-") for name in site.files("good")), 10, "the source that goes on")
    site.do("hold", "orders", "--until", "10m")  # the flow: everything is received, and waits
    time.sleep(1.2)
    for n, folder in ((4, "a"), (5, "b")):
        site.drop(f"{folder}/{n}.json", {"n": n})
    equal(told(6, "evt-6"), 202, "a webhook of a flow that is held")
    wait(lambda: not site.files("a") and not site.files("b"), 10, "both sources of a held flow to receive")
    equal(len(site.files("good")), 5, "delivered by a flow that is held")
    site.kill_all()
    site.do("resume", "orders")
    site.start()
    site.wait_files("good", 8, 20)
    site.drop("b/again.json", {"n": 5})
    wait(lambda: not site.files("b"), 10, "the file to be taken")
    site.idle()
    equal(sorted(name.split("-")[0] for name in site.files("good")), ["1", "1", "1", "2", "3", "4", "5", "6"], "in all")
    equal(site.dead(), [], "dead letters")
    site.stop()


@test("several sources of a flow: each knows its own documents again and is held by itself; the flow's hold receives from all")
def sources_on_the_spool(site):
    several_sources(site)


@test("several sources, and a table of the store, on RabbitMQ and PostgreSQL")
def sources_on_rabbitmq(site):
    servers = Servers()
    try:
        servers.choose(site)
        several_sources(site)
        site.write("flows/orders.yaml", SOURCES.replace("publish: done.v1", "  - remember: {store: seen, key: .n, value: .n}\n"
                   "  - enrich: {store: seen, key: .n, as: .again}\npublish: done.v1"))
        site.drop("a/t.json", {"n": 77})
        site.run_until_idle()
        name = [name for name in site.files("good") if name.startswith("77-")][0]
        equal(json.loads(read(site.at("good", name))), {"n": 77, "from": "/e2e/orders", "again": 77}, "found in the unit that noted it")
        equal(site.do("table", "get", "seen", "77"), "77\n", "by the verb")
    finally:
        servers.down()


main()
