#!/usr/bin/env python3
"""Durable steps: collect, resequence, dedupe. On the spool, and on a real RabbitMQ with a real PostgreSQL."""
import json
import os
import time

from bed import Site, Target, check, equal, main, read, test, wait
from servers import Servers

BY_COUNT = """
flow: counted
owner: tests
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
  - split: '.lines[]'
  - collect: {by: .customer, count: 3, within: 1h}
  - map: {jq: '{all: [.[].n], c: $envelope.collected}'}
to: {file: 'out/$(.c.key)-$(.c.generation).json', exists: refuse, create: yes}
effect: rename
"""

SPLIT = """
flow: split-orders
owner: tests
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
  - split: '. as $o | .lines[] | {order: $o.order} + .'
publish: line.split.v1
"""
PRICE = """
flow: price-lines
owner: tests
subscribe: line.split.v1
steps:
  - filter: .cancelled | not
  - map: {jq: 'if .bad then error("no price") else {order, n, price: (.n * 10)} end'}
publish: line.priced.v1
"""
JOIN = """
flow: join-lines
owner: tests
subscribe: line.priced.v1
steps:
  - collect: {by: group, partial: @PARTIAL@}
  - map: {jq: '{order: .[0].order, all: [.[].n], c: $envelope.collected}'}
to: {file: 'out/$(.order).json', exists: refuse, create: yes}
effect: rename
"""

SEQUENCE = """
flow: ordered
owner: tests
from:
  - {file: 'one/*.json', after: delete, age: 0s, interval: 50ms}
  - {file: 'two/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
  - resequence: {by: .k, number: .n, within: @WITHIN@, gap: @GAP@}
to: {operation: target.put}
effect: {key: '$(.k)-$(.n)-$(.text // "")', remembers: 24h}
"""

FIRST = """
flow: firsts
owner: tests
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
duplicates: none
steps:
  - decode: json
  - dedupe: {by: .id, within: 1h}
to: {file: 'out/$(.id)-$(.n).json', exists: refuse, create: yes}
effect: rename
"""


def out(site, name):
    return json.loads(read(site.at("out", name)))


def on(site, servers):
    if servers:
        servers.choose(site)


def counted(site, servers=None):
    on(site, servers)
    site.flow(BY_COUNT)
    site.drop("in/a.json", {"lines": [{"customer": "a", "n": n} for n in range(1, 6)] + [{"customer": "b", "n": 9}]})
    site.run_until_idle()
    equal(site.files("out"), ["a-1.json"], "closed by count")
    equal(out(site, "a-1.json")["all"], [1, 2, 3], "its members, in order")
    waiting = site.ask("collect", "list")["collections"]
    equal([(c["key"], c["count"]) for c in waiting], [("a", 2), ("b", 1)], "what waits")
    site.drop("in/b.json", {"lines": [{"customer": "b", "n": n} for n in (10, 11)]})
    site.run_until_idle()
    equal(out(site, "b-1.json")["all"], [9, 10, 11], "members of two documents")
    equal(site.dead(), [], "dead letters")
    # now, by a person
    site.start()
    number = str(site.ask("collect", "list")["collections"][0]["number"])
    shown = site.do("collect", "show", number, "--site", site.path)
    check("key a: 2; goes on: in" in shown and f"collect close {number}" in shown, shown)
    site.do("collect", "close", number, "--site", site.path)
    site.wait_files("out", 3)
    equal(out(site, "a-2.json")["all"], [4, 5], "closed by a person")
    equal(out(site, "a-2.json")["c"]["reason"], "operator", "why")
    equal(site.ask("collect", "list")["collections"], [], "nothing waits")


@test("collect by key and count; what waits outlives the site; a person closes it")
def by_count(site):
    counted(site)


def day(site, servers=None):
    on(site, servers)
    site.flow("""
flow: daily
owner: tests
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
  - collect: {by: .day, within: 1500ms}
  - encode: {format: csv, columns: [order, amount]}
to: {file: 'out/$(.[0].day).csv', exists: refuse, create: yes}
effect: rename
""")
    site.start()
    for n in range(40):
        site.drop(f"in/{n}.json", {"order": f"PO-{n}", "amount": f"{n}.50", "day": f"2026-01-0{1 + n % 2}"})
    site.wait_files("out", 2, 20)
    for d in (0, 1):
        rows = read(site.at("out", f"2026-01-0{1 + d}.csv")).decode().splitlines()
        equal(rows[0], "order,amount", "the header")
        equal(sorted(rows[1:]), sorted(f"PO-{n},{n}.50" for n in range(40) if n % 2 == d), "a row for each order")
    site.idle()
    trace = site.do("trace", "7.json", "--site", site.path)
    check("held" in trace and "collected" in trace, trace)


@test("a file a day of many orders: collect by day and time, encode csv")
def by_day(site):
    day(site)


def group(site, partial, servers=None):
    on(site, servers)
    site.flow(SPLIT)
    site.flow(PRICE)
    site.flow(JOIN.replace("@PARTIAL@", partial))
    lines = [{"n": n} for n in range(1, 7)]
    site.drop("in/whole.json", {"order": "whole", "lines": lines})
    site.drop("in/less.json", {"order": "less", "lines": [dict(line, cancelled=line["n"] == 3) for line in lines]})
    site.drop("in/bad.json", {"order": "bad", "lines": [dict(line, bad=line["n"] == 2) for line in lines]})
    site.drop("in/many.json", {"order": "many", "lines": [{"n": n} for n in range(1500)]})
    site.run_until_idle()
    equal(out(site, "whole.json")["all"], [1, 2, 3, 4, 5, 6], "a whole group in its order")
    equal(out(site, "less.json")["all"], [1, 2, 4, 5, 6], "a filter is no loss")
    equal(out(site, "less.json")["c"]["dropped"], 1, "but told")
    equal(len(out(site, "many.json")["all"]), 1500, "a group whose size was known at its end")


@test("split to collect over two flows: a dead part closes its group, which goes on with partial: pass")
def group_pass(site):
    group(site, "pass")
    equal(out(site, "bad.json")["all"], [1, 3, 4, 5, 6], "what is left of it")
    equal((out(site, "bad.json")["c"]["dead"], out(site, "bad.json")["c"]["missing"]), (1, 0), "what is not")
    equal([letter["cause"] for letter in site.dead()], ["jq.error"], "the dead part")
    # it comes too late
    site.flow(PRICE.replace("if .bad then error(\"no price\") else {order, n, price: (.n * 10)} end", "{order, n}"))
    site.do("dead", "replay", str(site.dead()[0]["number"]), "--site", site.path)
    site.run_until_idle()
    equal([letter["cause"] for letter in site.dead()], ["collect.late"], "its group has closed")


@test("the same with partial: reject: a dead letter that keeps everything, and a replay goes on with it")
def group_reject(site):
    group(site, "reject")
    equal(site.files("out"), ["less.json", "many.json", "whole.json"], "what came out")
    letters = {letter["cause"]: letter for letter in site.dead()}
    equal(sorted(letters), ["collect.partial", "jq.error"], "dead letters")
    equal(letters["collect.partial"]["flow"], "join-lines", "its flow")
    site.do("dead", "replay", str(letters["collect.partial"]["number"]), "--site", site.path)
    site.run_until_idle()
    equal(out(site, "bad.json")["all"], [1, 3, 4, 5, 6], "replayed")


@test("a dead part that is replayed before its group closes takes its place")
def group_again(site):
    site.flow(SPLIT)
    site.flow(PRICE)
    site.flow(JOIN.replace("{by: group, partial: @PARTIAL@}", "{by: group, partial: reject, within: 1h}"))
    site.flow("""
flow: slow
owner: tests
subscribe: line.held.v1
steps: [{filter: 'false'}]
publish: line.priced.v1
""")
    price = PRICE.replace("filter: .cancelled | not", "route: [{when: .later, publish: line.held.v1}]")
    site.flow(price)
    site.start()
    site.do("hold", "slow", "--until", "1h", "--reason", "test", "--site", site.path)
    site.drop("in/a.json", {"order": "a", "lines": [{"n": 1}, {"n": 2, "bad": True}, {"n": 3, "later": True}]})
    wait(lambda: site.dead(), 10, "the dead part")
    wait(lambda: site.ask("collect", "list")["collections"], 10, "the collection")
    equal(site.ask("collect", "list")["collections"][0]["dead"], 1, "it is known")
    site.flow(price.replace("if .bad then error(\"no price\") else {order, n, price: (.n * 10)} end", "{order, n}"))
    site.reload()
    site.do("dead", "replay", str(site.dead()[0]["number"]), "--site", site.path)
    wait(lambda: site.ask("collect", "list")["collections"][0]["dead"] == 0, 10, "its place to be taken")
    site.do("resume", "slow", "--site", site.path)
    site.wait_files("out", 1)
    equal(out(site, "a.json")["all"], [1, 2], "both; what was filtered is no loss")


def sequence(site, gap="hold", within="1h"):
    target = Target(site, "target", "--idempotent")
    site.system("target", target.url, "  put: {method: POST, path: '/$(.k)/$(.n)'}")
    site.flow(SEQUENCE.replace("@GAP@", gap).replace("@WITHIN@", within))
    return target


def put(site, folder, k, n, **more):
    site.drop(f"{folder}/{k}-{n}-{len(more)}.json", dict(k=k, n=n, **more))


def interchange(transactions):
    """An X12 interchange with that many purchase orders."""
    out = ["ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             *260101*1200*U*00401*000000001*0*P*>",
           "GS*PO*ACME*HQ*20260101*1200*1*X*004010"]
    for n in range(1, transactions + 1):
        out += [f"ST*850*{n:04d}", f"BEG*00*SA*PO-{n}**20260101", f"SE*3*{n:04d}"]
    return "~".join(out + [f"GE*{transactions}*1", "IEA*1*000000001"]) + "~"


@test("the transactions of an interchange are a group, whose size is known at its end; one that dies is missed")
def transactions(site):
    site.flow("""
flow: orders
owner: tests
from: {file: 'in/*.edi', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: x12
  - split: {by: transaction, id: [.transaction.control]}
  - map: {jq: '.segments[0][3] | if . == "PO-3" then error("no") else {number: .} end'}
  - collect: {by: group, partial: pass}
  - map: {jq: '{all: [.[].number], c: $envelope.collected}'}
to: {file: 'out/$(.c.count).json', exists: refuse, create: yes}
effect: rename
""")
    site.drop("in/a.edi", interchange(5))
    site.run_until_idle()
    equal(out(site, "4.json")["all"], ["PO-1", "PO-2", "PO-4", "PO-5"], "the others")
    equal(out(site, "4.json")["c"]["dead"], 1, "is told")


@test("a size closes, a large result lies in the vault, and another key closes with `change`")
def large(site):
    site.flow("""
flow: sized
owner: tests
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
  - split: '.lines[]'
  - collect: {by: .k, size: 300KB, change: on}
  - map: {jq: '{k: .[0].k, n: length, c: $envelope.collected}'}
to: {file: 'out/$(.k)-$(.c.generation).json', exists: refuse, create: yes}
effect: rename
""")
    lines = [{"k": "a", "text": "x" * 80_000} for _ in range(4)] + [{"k": "b", "text": ""}]
    site.drop("in/a.json", {"lines": lines})
    site.run_until_idle()
    equal((out(site, "a-1.json")["n"], out(site, "a-1.json")["c"]["reason"]), (3, "size"), "closed by size")
    equal((out(site, "a-2.json")["n"], out(site, "a-2.json")["c"]["reason"]), (1, "change"), "closed by another key")


@test("what waits goes on under its revision, also when a reload has taken its flow away, and its steward was killed")
def gone(site):
    site.flow(BY_COUNT.replace("within: 1h", "within: 3s"))
    site.start()
    site.drop("in/a.json", {"lines": [{"customer": "a", "n": n} for n in (1, 2)]})
    wait(lambda: site.ask("collect", "list")["collections"], 10, "the collection")
    os.unlink(site.at("flows/counted.yaml"))
    site.flow(FIRST.replace("in/*", "other/*"))
    site.reload()
    for pid in site.processes()["steward"]:
        os.kill(pid, 9)
    site.wait_files("out", 1)
    equal(out(site, "a-1.json")["all"], [1, 2], "its members")
    equal(site.dead(), [], "dead letters")


def in_order(site, servers=None):
    on(site, servers)
    target = sequence(site)
    site.start()
    for n in (3, 5, 2, 4, 8, 7):
        put(site, "one" if n % 2 else "two", "x", n)
    put(site, "one", "y", 1)
    wait(lambda: target.paths() == ["/y/1"], 10, "what is first of its key")
    time.sleep(0.3)
    equal(target.paths(), ["/y/1"], "the others wait")
    put(site, "two", "x", 1)
    wait(lambda: len(target.paths()) == 6, 10, "what follows it")
    equal(target.paths(), ["/y/1"] + [f"/x/{n}" for n in (1, 2, 3, 4, 5)], "in order")
    put(site, "two", "x", 2, text="other")
    wait(lambda: site.dead(), 10, "another message with a number that was there")
    equal(site.dead()[0]["cause"], "resequence.conflict", "its cause")
    put(site, "two", "x", 6)
    wait(lambda: len(target.paths()) == 9, 10, "the rest")
    equal(target.paths()[-3:], ["/x/6", "/x/7", "/x/8"], "in order")


@test("resequence: two sources, any order in, one order out; the same number with other content is refused")
def resequenced(site):
    in_order(site)


@test("a gap that lasts: pass goes on, and what comes late is a dead letter")
def gap_pass(site):
    target = sequence(site, "pass", "1s")
    site.start()
    for n in (1, 2, 4, 5):
        put(site, "one", "x", n)
    wait(lambda: len(target.paths()) == 4, 10, "what is behind the gap")
    equal(target.paths(), [f"/x/{n}" for n in (1, 2, 4, 5)], "in order")
    put(site, "one", "x", 3)
    wait(lambda: site.dead(), 10, "the late one")
    equal(site.dead()[0]["cause"], "resequence.late", "its cause")


@test("a gap that lasts: reject makes dead letters of what waits; hold waits for a person")
def gap_reject(site):
    target = sequence(site, "reject", "1s")
    site.start()
    for n in (1, 3, 4):
        put(site, "one", "x", n)
    wait(lambda: len(site.dead()) == 2, 10, "dead letters")
    equal({letter["cause"] for letter in site.dead()}, {"resequence.gap"}, "their cause")
    put(site, "one", "x", 5)
    wait(lambda: target.paths() == ["/x/1", "/x/5"], 10, "it goes on behind them")


@test("a gap that lasts makes dead letters of all that waits, though it is more than the steward takes at once")
def gap_reject_all(site):
    target = sequence(site, "reject", "4s")
    site.start()
    put(site, "one", "x", 1)
    wait(lambda: target.paths() == ["/x/1"], 10, "the first")
    for n in range(3, 48):
        put(site, "one", "x", n, pad="p" * 60000)
    wait(lambda: len(site.dead()) == 45, 15, "dead letters")
    put(site, "one", "x", 48)
    wait(lambda: len(target.paths()) > 1, 10, "what comes behind them")
    equal(target.paths(), ["/x/1", "/x/48"], "it goes on behind them, and none of them did")


@test("a gap that a person lets go")
def gap_hold(site):
    target = sequence(site)
    site.start()
    for n in (1, 3):
        put(site, "one", "x", n)
    wait(lambda: site.ask("collect", "list")["collections"], 10, "what waits")
    check(any("sequence" in p["what"] for p in site.status()["problems"]), site.status()["problems"])
    site.do("collect", "close", str(site.ask("collect", "list")["collections"][0]["number"]), "--site", site.path)
    wait(lambda: target.paths() == ["/x/1", "/x/3"], 10, "it goes on")


REFUSED = """
flow: refused
owner: tests
subscribe: first.refused.v1
steps: [{map: {jq: '{code, step}'}}]
to: {file: 'refused/$(.code).json', exists: replace, create: yes}
effect: rename
"""


def first_only(site, servers=None):
    on(site, servers)
    site.flow(FIRST + "on-reject: {publish: first.refused.v1}\n")
    site.flow(REFUSED)
    for n in range(12):
        site.drop(f"in/a{n}.json", {"id": "a", "n": 1})
    site.drop("in/b.json", {"id": "b", "n": 1})
    site.run_until_idle()
    equal(site.files("out"), ["a-1.json", "b-1.json"], "one of each")
    site.drop("in/c.json", {"id": "b", "n": 2})
    site.run_until_idle()
    equal(site.files("out"), ["a-1.json", "b-1.json"], "other content does not go on")
    equal([letter["cause"] for letter in site.dead()], ["dedupe.conflict"], "but is refused")
    equal(site.files("refused"), ["dedupe.conflict.json"], "and told to the topic of refusals")


@test("dedupe: the first of a key goes on, whoever has it; other content is refused")
def first(site):
    first_only(site)


@test("all of them on RabbitMQ and PostgreSQL")
def rabbit(site):
    servers = Servers()
    try:
        for number, todo in enumerate((counted, day, lambda one, on: group(one, "pass", on), in_order, first_only)):
            apart = Apart(servers, number)
            one = Site()
            try:
                todo(one, apart)
            finally:
                one.close()
    finally:
        servers.down()


@test("two machines: one steward closes the collections of both, and the other one when that is killed")
def machines(site):
    servers = Servers()
    sites = [site, Site()]
    out_of_both, vault = os.path.join(site.work, "out"), os.path.join(site.work, "vault")
    os.makedirs(vault)
    try:
        for one in sites:
            servers.choose(one)
            one.flow(BY_COUNT.replace("count: 3, within: 1h", "count: 3, within: 3s").replace(
                "'out/$(.c.key)-$(.c.generation).json'", f"'{out_of_both}/$(.ids).json'").replace(
                "{all: [.[].n], c: $envelope.collected}", '{ids: ([.[].n | tostring] | join("-"))}'))
            os.makedirs(one.at("data"))
            os.symlink(vault, one.at("data/vault"))
            one.start()
        for n in range(20):
            sites[n % 2].drop(f"in/{n}.json", {"lines": [{"customer": "a", "n": n}]})
        wait(lambda: ids_in(out_of_both) and not site.files("in"), 10, "the first collections")
        site.kill_all()
        for n in range(20, 25):
            sites[1].drop(f"in/{n}.json", {"lines": [{"customer": "a", "n": n}]})
        wait(lambda: len(ids_in(out_of_both)) >= 25, 30, "all of them")
        equal(sorted(ids_in(out_of_both)), list(range(25)), "each member once")
    finally:
        sites[1].close()
        servers.down()


def ids_in(folder):
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [int(n) for name in names if not name.startswith(".") for n in name[:-5].split("-")]


class Apart:
    """The same servers with names of its own: a site finds nothing of the one before."""

    def __init__(self, servers, number):
        self.servers, self.number = servers, number

    def choose(self, site):
        self.servers.choose(site)
        with open(site.at("site.yaml")) as file:
            text = file.read()
        text = text.replace("{secret: amqp}", f"{{secret: amqp}}, prefix: 'p{self.number}.', exchange: e{self.number}")
        site.write("site.yaml", text.replace("{secret: postgresql}", f"{{secret: postgresql}}, schema: s{self.number}"))


main()
