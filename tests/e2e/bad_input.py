#!/usr/bin/env python3
"""Whatever comes in, by file or by webhook: a dead letter that says step, reason and place, the original kept, the neighbours through."""
import hashlib
import os
import random
import time

from bed import check, equal, free_port, is_sanitized, main, read, request, test, wait

ISA = "ISA*00*          *00*          *ZZ*ACME           *ZZ*HQ             *260101*1200*U*00401*%09d*0*P*>~"


def interchange(number, transactions):
    text = ISA % number + f"GS*PO*ACME*HQ*20260101*1200*{number}*X*004010~"
    for n, order in enumerate(transactions, 1):
        segments = [f"ST*850*{n:04d}", f"BEG*00*SA*{order}**20260101"] + ["PO1*1*5*EA*9.50**BP*" + "X" * 70] * 1
        text += "~".join(segments) + f"~SE*{len(segments) + 1}*{n:04d}~"
    return (text + f"GE*{len(transactions)}*{number}~IEA*1*{number:09d}~").encode()


def json_flow(name, decode="json", source="file: 'in/json/*.json', after: archive, age: 0s, interval: 100ms"):
    return f"""
flow: {name}
owner: tests
from: {{{source}}}
steps:
  - decode: {decode}
to: {{file: 'out/{name}/$(.n).json', exists: refuse, create: yes}}
effect: rename
"""


X12_FLOW = """
flow: x12
owner: tests
from: {file: 'in/x12/*.edi', after: archive, age: 0s, interval: 100ms}
steps:
  - decode: x12
  - filter: '.segments[0][3] | startswith("PO-")'
  - map: order.jq
to: {file: 'out/x12/$(.n).json', exists: refuse, create: yes}
effect: rename
"""

BAD_JSON = {
    "empty": (b"", "json.empty"),
    "truncated": (b'{"n": "t", "lines": [{"sku": "A"', "json.syntax"),
    "binary": (random.Random(1).randbytes(4096), None),
    "latin-1": ('{"n": "M\xfcller"}'.encode("latin-1"), "json.encoding"),
    "utf-16": ('{"n": "x"}'.encode("utf-16"), "json.encoding"),
    "deep": (b'{"n":' + b"[" * 100000 + b"]" * 100000 + b"}", "json.depth"),
    "syntax": (b'{"n": 1,\n "lines": 5 ]\n', "json.syntax"),
}


def archived(site, folder, name):
    for root, _, names in os.walk(site.at(folder, "archive")):
        if name in names:
            return os.path.join(root, name)
    raise FileNotFoundError(name)


def judge(site, letter, content, cause=None, step="decode"):
    """A letter as it has to be."""
    name = letter["document"]
    check(not cause or letter["cause"] == cause, name, "has the cause", letter["cause"], "and not", cause)
    check(letter["step"].startswith(step), name, "died at", letter["step"])
    check(letter["reason"], name, "has no reason")
    check(letter["position"], name, "has no position:", letter["cause"], letter["reason"])
    whole = site.letter(letter["number"])
    equal(whole["origin"]["digest"], hashlib.sha256(content).hexdigest(), f"{name}: the original's digest")
    check(whole["origin"]["ref"], name, "is not kept")


@test("bad JSON by file: each is a dead letter with step, reason and position, the original kept, the neighbours through")
def bad_json_files(site):
    site.flow(json_flow("orders"))
    site.start()
    for n, (name, (content, cause)) in enumerate(BAD_JSON.items()):
        site.drop(f"in/json/{name}.json", content)
        site.drop(f"in/json/good-{n}.json", {"n": n})
    letters = wait(lambda: len(site.dead()) == len(BAD_JSON) and site.dead(), 15, "all the bad ones to be dead")
    by_name = {letter["document"][:-5]: letter for letter in letters}
    for name, (content, cause) in BAD_JSON.items():
        judge(site, by_name[name], content, cause)
        equal(read(archived(site, "in/json", name + ".json")), content, "the archived original")
    site.wait_files("out/orders", len(BAD_JSON))
    shown = site.do("dead", "show", str(by_name["syntax"]["number"]), "--site", site.path)
    check("line 2, column" in shown, shown)


@test("bad X12 by file: truncated, binary, empty, with a broken transaction among good ones")
def bad_x12_files(site):
    site.flow(X12_FLOW)
    site.write("mappings/order.jq", "{n: .segments[0][3]}\n")
    good = interchange(1, ["PO-1", "PO-2"])
    bad = {"truncated-1": good[:60], "truncated-2": good[:200], "truncated-3": good[:-30], "empty": b"",
           "binary": random.Random(2).randbytes(5000), "words": b"Dear partner, please find our order attached.\n" * 5}
    broken = interchange(2, ["PO-3", "PO-4", "PO-5"]).replace(b"SE*4*0002~", b"SE*9*0002~")
    check(b"SE*9*" in broken)
    site.start()
    for name, content in bad.items():
        site.drop(f"in/x12/{name}.edi", content)
    site.drop("in/x12/broken.edi", broken)
    site.drop("in/x12/good.edi", interchange(3, ["PO-6"]))
    site.wait_files("out/x12", 3)
    site.idle()
    letters = site.dead()
    for letter in letters:
        name = letter["document"][:-4]
        judge(site, letter, broken if name == "broken" else bad[name])
    equal(sorted({letter["document"][:-4] for letter in letters}), sorted([*bad, "broken"]), "dead")
    delivered = set(site.files("out/x12"))
    check({"PO-3.json", "PO-5.json", "PO-6.json"} <= delivered and "PO-4.json" not in delivered, delivered)


@test("bad input by webhook is taken, kept, and a dead letter as by file")
def bad_webhooks(site):
    port = free_port()
    site.write("site.yaml", f"name: e2e\nlisten: {{http: {{port: {port}}}}}\nlimits: {{disk-reserve: 1MiB}}\nprocesses: {{transform: 2}}\n")
    site.flow(json_flow("hook", source="webhook: /hook, verify: none"))
    site.start()
    for n, (name, (content, cause)) in enumerate(BAD_JSON.items()):
        status, headers, body = request(port, "POST", "/hook", content, {"content-type": "application/json", "webhook-id": name})
        equal(status, 202, name)
        equal(request(port, "POST", "/hook", b'{"n": %d}' % n, {"webhook-id": f"good-{n}"})[0], 202, "a good one")
    letters = wait(lambda: len(site.dead()) == len(BAD_JSON) and site.dead(), 15, "all the bad ones to be dead")
    by_name = {letter["document"]: letter for letter in letters}
    for name, (content, cause) in BAD_JSON.items():
        judge(site, by_name[name], content, cause)
    site.wait_files("out/hook", len(BAD_JSON))


@test("a line of a gigabyte is refused in little memory, and its neighbours in the same file go through")
def huge_line(site):
    site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 1}\n")
    site.flow(json_flow("lines", "json-lines"))
    path = site.write("huge.json", b'{"n": 1}\n{"n": "')
    with open(path, "r+b") as file:
        file.seek(1 << 30)
        file.write(b'"}\n{"n": 2}\n')
    os.makedirs(site.at("in/json"))
    site.start()
    began = time.monotonic()
    os.rename(path, site.at("in/json/huge.json"))
    site.drop("in/json/small.json", '{"n": 3}\n')
    site.wait_files("out/lines", 3, 60)
    letters = wait(lambda: site.dead(), 30, "the dead letter")
    peak = site.peak_memory("transform")
    print(f"# a gigabyte took {time.monotonic() - began:.1f} s and {peak} MiB")
    equal([letter["cause"] for letter in letters], ["json.too-large"], "dead")
    check("line 2" in letters[0]["position"], letters[0]["position"])
    check(peak < 300 or is_sanitized(), f"the transform process took {peak} MiB")


@test("200 MB of X12 in ten thousand transactions are streamed in little memory")
def huge_interchange(site):
    site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 1}\n")
    site.flow(X12_FLOW)
    site.write("mappings/order.jq", "{n: .segments[0][3]}\n")
    lines = "~".join(["PO1*1*5*EA*9.50**BP*" + "X" * 60] * 247)
    path = site.at("huge.edi")
    with open(path, "w") as file:
        file.write(ISA % 7 + "GS*PO*ACME*HQ*20260101*1200*7*X*004010~")
        for n in range(1, 10001):
            order = f"PO-{n}" if n % 1000 == 0 else f"NO-{n}"
            file.write(f"ST*850*{n:05d}~BEG*00*SA*{order}**20260101~{lines}~SE*{251 if n == 5500 else 250}*{n:05d}~")
        file.write("GE*10000*7~IEA*1*000000007~")
    size = os.path.getsize(path)
    check(size > 200_000_000, size)
    os.makedirs(site.at("in/x12"))
    site.start()
    began = time.monotonic()
    os.rename(path, site.at("in/x12/huge.edi"))
    site.wait_files("out/x12", 10, 60)
    site.idle(60)
    peak = site.peak_memory("transform")
    print(f"# {size >> 20} MiB took {time.monotonic() - began:.1f} s and {peak} MiB")
    letters = site.dead()
    equal(len(letters), 1, "dead letters")
    check("5500" in letters[0]["position"], letters[0]["position"])
    check(peak < 300 or is_sanitized(), f"the transform process took {peak} MiB")


@test("names that partners gave their files cannot write on the terminal of whoever asks for them, and programs get them as they are")
def names(site):
    site.flow(json_flow("plain", source="file: 'in/*', after: archive, age: 0s"))
    name = "order\x1b[2J\x1b]0;mine\x07\u009b31m\nnext  rm.json"
    site.drop("in/" + name, "no JSON")
    site.run_until_idle()
    for words in (["status", "--problems"], ["status"], ["dead", "list"], ["dead", "show", "1"], ["trace", name]):
        _, out, _ = site.type(*words, "--site", site.path)
        bad = [c for c in out if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160)]
        check(not bad and "\nnext  rm" not in out, words, "shows", repr(out))
    equal(site.ask("dead", "show", "1")["origin"]["name"], name, "for programs")
    check("order [2J" in site.type("dead", "show", "1", "--site", site.path)[1], "the name is there")


main()
