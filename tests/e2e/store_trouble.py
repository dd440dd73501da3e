#!/usr/bin/env python3
"""A store that fails now and then, and a target that limits its callers: nothing that is known of an effect gets lost, and nothing is sent more
often than asked for."""
import http.server
import os
import sqlite3
import threading
import time

from bed import Skip, Target, check, equal, has_faults, main, test, wait

INTAKE = """
flow: intake
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 100ms}
steps:
  - decode: json
  - split: {by: '.[]', id: [.n]}
publish: thing.v1
"""


def to_system(site, name, retry="{for: 1h, from: 100ms, to: 500ms}", effect="none"):
    site.flow(f"""
flow: to-{name}
owner: tests
subscribe: thing.v1
steps: [{{encode: json}}]
to: {{operation: {name}.put}}
effect: {effect}
retry: {retry}
""")


def things(site, first, last):
    site.drop(f"in/{first}.json", [{"n": n} for n in range(first, last)])


class Limiting(http.server.ThreadingHTTPServer):
    """Answers as `answer(n)` says to the n-th request: (status, headers)."""
    daemon_threads = True

    def __init__(self, answer):
        self.answer, self.lock, self.seen = answer, threading.Lock(), []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        with self.server.lock:
            n = len(self.server.seen)
            self.server.seen.append((time.monotonic(), self.path))
        status, headers, wait_s = self.server.answer(n)
        time.sleep(wait_s)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@test("commits that fail now and then lose no receipt: each effect once, no doubt, and the site comes to rest")
def failing_commits(site):
    if not has_faults():
        raise Skip("no fault points in this build")
    target = Target(site, "plain", "--plain")
    site.flow(INTAKE)
    site.system("plain", target.url)
    to_system(site, "plain")
    site.flow("""
flow: to-folder
owner: tests
subscribe: thing.v1
steps: [{encode: json}]
to: {file: 'out/$(.n).json', exists: refuse, create: yes}
effect: rename
retry: {for: 1h, from: 100ms, to: 500ms}
""")
    site.start(env={"FERRULE_FAULTS": "queue.commit%5=fail", "FERRULE_FAULT_SEED": "7"})
    count = 0
    while count < 250 and not site.said("not settled endpoint=to-plain"):  # chance decides whose commit fails
        things(site, count, count + 25)
        count += 25
        wait(lambda: len(target.paths()) >= count and len(site.files("out")) >= count, 40, "all effects")
        site.idle(40)
    check(site.said("not settled endpoint=to-plain"), "no receipt failed: this shows nothing")
    equal(sorted(target.paths()), sorted(f"/{n}" for n in range(count)), "effects")
    equal(len(site.files("out")), count, "files")
    equal(site.doubts(), [], "doubts")
    equal(site.dead(), [], "dead letters")
    equal(site.hidden("out"), [], "left in the folder")


@test("a target that limits is left alone for as long as it asks, though other calls under way succeed")
def limited(site):
    # the first of four at once is told to wait, the three others succeed a moment later
    target = Limiting(lambda n: (429, {"Retry-After": "3"}, 0) if n == 0 or n >= 4 and time.monotonic() < target.seen[0][0] + 3
                      else (200, {}, 0.3))
    site.flow(INTAKE)
    site.system("limited", target.url, more="parallel: 4\n")
    to_system(site, "limited")
    site.start()
    things(site, 0, 30)
    wait(lambda: len({path for _, path in target.seen}) == 30, 20, "all effects")
    site.idle()
    first = target.seen[0][0]
    early = [path for at, path in target.seen[4:] if at < first + 2.9]
    check(len(early) <= 4, f"{len(early)} calls while it had asked to wait")
    equal(len(target.seen), 31 + len(early), "calls")
    equal(site.doubts() + site.dead(), [], "doubts and dead letters")


@test("the waits between the tries of one message grow")
def growing_waits(site):
    target = Limiting(lambda n: (408, {}, 0) if n < 6 else (200, {}, 0))
    site.flow(INTAKE)
    site.system("slow", target.url)
    to_system(site, "slow", retry="{for: 1h, from: 100ms, to: 10s}")
    site.start()
    things(site, 0, 1)
    wait(lambda: len(target.seen) == 7, 20, "the try that succeeds")
    site.idle()
    took = target.seen[6][0] - target.seen[0][0]
    check(took >= 6.0, f"six waits took {took:.1f} s, not 0.1 + 0.2 + … + 3.2 s")


@test("a vault that takes nothing for a moment does not end a run before what lies there was taken")
def full_for_a_moment(site):
    if not has_faults():
        raise Skip("no fault points in this build")
    site.flow("""
flow: large
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 30s}
retry: {for: 1h, from: 100ms, to: 500ms}
steps: [{decode: json}]
to: {file: 'out/large.json', exists: refuse, create: yes}
effect: rename
""")
    site.drop("in/large.json", {"text": "x" * 200000})
    os.environ["FERRULE_FAULTS"] = "vault.full:1=enospc"
    try:
        site.run_until_idle(30)
    finally:
        del os.environ["FERRULE_FAULTS"]
    check(site.said("left alone"), "nothing failed: this shows nothing")
    equal(site.files("out"), ["large.json"], "delivered")


@test("a unit that can never be committed ends as a dead letter of its one message, and the others go on")
def refused_units(site):
    if not has_faults():
        raise Skip("no fault points in this build")
    site.flow("""
flow: single
owner: tests
from: {file: 'in/*.json', after: archive, age: 0s, interval: 100ms}
steps: [{decode: json}]
to: {file: 'out/$(.n).json', exists: refuse, create: yes}
effect: rename
""")
    site.start(env={"FERRULE_FAULTS": "queue.refuse%3=fail", "FERRULE_FAULT_SEED": "3"})
    count = 0
    while count < 400 and not site.dead():  # which units are refused is chance, but not for ever
        for _ in range(20):
            site.drop(f"in/{count}.json", {"n": count})
            count += 1
        wait(lambda: len(site.files("out")) + len(site.dead()) >= count, 30, "all of them to be somewhere")
    site.idle()
    dead = site.dead()
    check(dead, "none was refused: this shows nothing")
    equal({(letter["cause"], letter["step"]) for letter in dead}, {("test.refused", "commit")}, "dead letters")
    equal(len(site.files("out")) + len(dead), count, "delivered and dead")
    equal(site.doubts(), [], "doubts")

@test("a store that a later version wrote ends `run --until-idle` with the reason, at once; once it is back all goes on")
def newer(site):
    site.flow(INTAKE.replace("publish: thing.v1", "  - encode: json\nto: {file: 'out/$(.n).json', create: yes}\neffect: rename"))
    site.run_until_idle()
    things(site, 0, 2)
    db = sqlite3.connect(site.at("data/site.db"))
    before = db.execute("SELECT part, version FROM schema_version").fetchall()
    db.execute("UPDATE schema_version SET version = 9999")
    db.commit()
    began = time.monotonic()
    code, out, err = site.type("run", site.path, "--until-idle")
    check(code == 3 and "cannot work: the tables of" in err.splitlines()[-1] and "later version" in err.splitlines()[-1], code, out, err)
    check(time.monotonic() - began < 30, "it waited for what cannot come")
    code, out, err = site.type("run", site.path, "--for", "3s")
    check(code == 3 and "later version" in err.splitlines()[-1], code, out, err)
    equal(site.files("out"), [], "delivered without a store")
    db.executemany("UPDATE schema_version SET version = ? WHERE part = ?", [(version, part) for part, version in before])
    db.commit()
    db.close()
    site.run_until_idle()
    equal(site.files("out"), ["0.json", "1.json"], "delivered")


if __name__ == "__main__":
    main()
