#!/usr/bin/env python3
"""Everything inbound over HTTP, as senders, load balancers and Prometheus use it."""
import base64
import concurrent.futures
import json
import os
import re
import signal
import time

from bed import check, equal, free_port, main, request, signed, test, wait

KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()

FLOW = """
flow: {name}
owner: tests
from: {{webhook: /{name}, {source}}}
steps:
  - decode: json
to: {{file: 'out/{name}/$(.n).json', exists: refuse, create: yes}}
effect: rename
"""


def site_of(site, more=""):
    port = free_port()
    site.write("site.yaml", f"name: e2e\nlisten: {{http: {{port: {port}}}}}\nlimits: {{disk-reserve: 1MiB}}\nprocesses: {{transform: 1}}\n{more}")
    site.secret("hook", f"whsec_{KEY}\n")
    site.secret("key", "let-me-in-please\n")
    site.flow(FLOW.format(name="won", source="secret: {secret: hook}, max: 10KiB"))
    site.flow(FLOW.format(name="plain", source="verify: bearer, secret: {secret: key}"))
    return port


def post(port, event, content, path="/won", **headers):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return request(port, "POST", path, body, {**signed(KEY, event, body), **headers})


@test("signatures, duplicates, contradictions, sizes and keys get the answers that senders rely on")
def answers(site):
    port = site_of(site)
    site.start()
    status, headers, body = post(port, "evt-1", {"n": 1})
    equal(status, 202, "a good one")
    first = json.loads(body)["id"]
    check(re.fullmatch("[0-9a-f]{12,64}", first), first)
    status, _, body = post(port, "evt-1", {"n": 1})
    equal((status, json.loads(body)["id"], json.loads(body).get("duplicate")), (202, first, True), "the same again")
    status, headers, body = post(port, "evt-1", {"n": 2})
    equal(status, 422, "the same id with other content")
    equal(headers["content-type"], "application/problem+json", "its form")
    check(json.loads(body)["status"] == 422 and json.loads(body)["title"], body)
    equal(post(port, "evt-2", {"n": 3}, **{"webhook-signature": "v1,AAAA"})[0], 401, "a wrong signature")
    equal(post(port, "evt-2", b'{"n": 3}', **{"webhook-timestamp": str(int(time.time()) - 3600)})[0], 401, "an old time")
    equal(request(port, "POST", "/won", b"{}", {"content-type": "application/json"})[0], 401, "no signature at all")
    equal(post(port, "evt-3", b'"' + b"x" * 20000 + b'"')[0], 413, "too large")
    equal(request(port, "POST", "/plain", b'{"n": 4}', {"authorization": "Bearer let-me-in-please"})[0], 202, "a bearer key")
    equal(request(port, "POST", "/plain", b'{"n": 5}', {"authorization": "Bearer let-me-in"})[0], 401, "a wrong bearer key")
    equal(request(port, "POST", "/nowhere", b"{}")[0], 404, "no such path")
    status, headers, _ = request(port, "GET", "/won")
    equal((status, headers["allow"]), (405, "POST"), "the wrong method")
    site.wait_files("out/won", 1)
    site.wait_files("out/plain", 1)
    site.idle()
    equal(site.files("out/won"), ["1.json"], "delivered of the signed")
    equal(site.files("out/plain"), ["4.json"], "delivered of the plain")
    equal(site.dead(), [], "dead letters: who is told keeps none here")
    code, out, err = site.type("trace", first, "--site", site.path)
    check(code in (0, 2), code, out, err)


@test("a request whose headers are too much for a message is refused, and no other that came with it")
def large_headers(site):
    port = site_of(site)
    site.start()
    much = {f"x-note-{i}": "n" * 900 for i in range(24)}

    def send(n):
        # every eighth has too many, and comes twice
        return n, post(port, f"evt-{n // 2}", {"n": n // 2}, **(much if n // 2 % 8 == 0 else {}))[0]

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(send, range(128)))
    equal({status for n, status in answers if n // 2 % 8 == 0}, {413}, "those with too many")
    equal({status for n, status in answers if n // 2 % 8}, {202}, "the others")
    site.wait_files("out/won", 56)
    site.idle()
    equal(len(site.files("out/won")), 56, "delivered")


@test("what was answered 202 is there after every process was killed at once")
def durable(site):
    port = site_of(site)
    site.start()
    accepted = []

    def send(n):
        try:
            if post(port, f"evt-{n}", {"n": n})[0] == 202:
                accepted.append(n)
        except OSError:
            pass

    post(port, "evt-0", {"n": 0})
    accepted.append(0)
    site.kill_all()
    for start in (1, 101):
        site.start()
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            futures = [pool.submit(send, n) for n in range(start, start + 100)]
            wait(lambda: len(accepted) > start // 4 + 10, 10, "some to be accepted")
            site.kill_all()
            concurrent.futures.wait(futures)
    print(f"# {len(accepted)} were accepted before the kills")
    site.start()
    wait(lambda: {f"{n}.json" for n in accepted} <= set(site.files("out/won")), 15, "everything accepted to be delivered")
    site.idle()
    equal(site.dead(), [], "dead letters")
    for n in accepted:
        equal(post(port, f"evt-{n}", {"n": n})[0], 202, "the same again")
    site.idle()
    check(set(accepted) <= {int(name[:-5]) for name in site.files("out/won")}, "all are there")


SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*\})? (-?[0-9.e+-]+|NaN|\+Inf|-Inf)$')


def parse_metrics(text):
    """{name: {labels: value}}; fails on anything that a scraper would refuse."""
    found, types = {}, {}
    check(text.endswith("\n"), "it ends with a line feed")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            check(name not in types, name, "has its type twice")
            check(kind in ("counter", "gauge", "histogram", "summary", "untyped"), line)
            types[name] = kind
        elif line.startswith("# HELP ") or not line:
            continue
        else:
            match = SAMPLE.match(line)
            check(match, "not a sample:", line)
            name, labels, value = match.groups()
            check(name in types, name, "has no type")
            check(labels not in found.setdefault(name, {}), "twice:", line)
            found[name][labels] = float(value)
            check(name.startswith("ferrule_"), name)
            check(types[name] != "counter" or name.endswith("_total"), name, "is a counter")
            check(not re.search(r"_(ms|seconds_total_ms|kb)$", name), name, "is in base units")
            check(not re.search("[0-9a-f]{32}", labels or ""), "an id in a label:", line)
    return found


@test("health and metrics say what is so: live always, ready only while consuming")
def health(site):
    port = site_of(site)
    site.start()
    for path in ("/livez", "/readyz", "/healthz"):
        equal(request(port, "GET", path)[0], 200, path)
    status, _, body = request(port, "GET", "/readyz?verbose")
    check(status == 200 and len(body) > 10, body)
    for n in range(5):
        post(port, f"evt-{n}", {"n": n})
    post(port, "evt-bad", b'{"n": ')
    site.wait_files("out/won", 5)
    wait(lambda: site.dead(), 10, "a dead letter")
    status, headers, body = request(port, "GET", "/metrics")
    equal(status, 200, "metrics")
    check(headers["content-type"].startswith("text/plain; version=0.0.4"), headers["content-type"])
    metrics = parse_metrics(body.decode())
    print("#", ", ".join(sorted(metrics)))
    check(any("dead" in name for name in metrics), "dead letters are counted")
    queue = site.processes()["queue"][0] if site.processes()["queue"] else site.processes()["ferrule"][0]
    os.kill(queue, signal.SIGSTOP)
    try:
        time.sleep(0.3)  # an answer is taken for true for 0.25 s
        began = time.monotonic()
        equal(request(port, "GET", "/readyz")[0], 503, "ready while nobody consumes")
        print(f"# it took {time.monotonic() - began:.1f} s to say so")
        equal(request(port, "GET", "/livez")[0], 200, "live")
    finally:
        os.kill(queue, signal.SIGCONT)
    wait(lambda: request(port, "GET", "/readyz")[0] == 200, 10, "it to be ready again")


@test("while the disk is too full nothing is accepted: 503, and files stay where they are")
def no_room(site):
    port = site_of(site)
    site.write("site.yaml", f"name: e2e\nlisten: {{http: {{port: {port}}}}}\nlimits: {{disk-reserve: 100000GiB}}\nprocesses: {{transform: 1}}\n")
    site.flow(FLOW.format(name="files", source="x").replace("webhook: /files, x", "file: 'in/*.json', after: archive, age: 0s, interval: 100ms"))
    site.drop("in/1.json", {"n": 1})
    site.start(ready=False)
    wait(lambda: site.said("listening") or os.path.exists(site.at("data/run/http.port")), 10, "the gateway")
    time.sleep(1)
    status, headers, _ = post(port, "evt-1", {"n": 1})
    equal(status, 503, "a webhook")
    check(headers["retry-after"], "says when to come again")
    equal(site.files("in"), ["1.json"], "the file")
    code, out, _ = site.type("status", "--problems", "--site", site.path)
    check(code == 1 and "disk" in out, code, out)


main()
