#!/usr/bin/env python3
"""One site on two machines, and the one that holds sources, schedules and expectations is not killed, but cut off from PostgreSQL
without a word (a proxy that goes on answering for it and forwards nothing any more), or stands still (SIGSTOP). The other takes
over within ten seconds; what the first had begun is refused when it comes back: nothing twice, nothing forgotten."""
import datetime
import json
import os
import re
import select
import signal
import socket
import threading
import time

from bed import Site, check, equal, main, read, test, wait
from servers import Servers

EVERY = 3
MOVE = 10
FLOWS = """
flow: dropped
owner: sales
from: {file: 'SHARED/in/*.json', after: delete, age: 0s, interval: 100ms, machines: one}
duplicates: none
steps:
  - decode: json
publish: order.received.v1
---
flow: kept
owner: sales
subscribe: order.received.v1
to: {file: 'SHARED/out/$(.number).json', create: yes, exists: number}
effect: rename
expect: {event: order.accepted.v1, key: .number, within: 2s}
---
flow: accepted
owner: sales
from: {file: 'ack/*.json', after: delete}
steps:
  - decode: json
publish: order.accepted.v1
---
flow: accepted-kept
owner: sales
subscribe: order.accepted.v1
to: {file: 'SHARED/accepted/$(.number).json', create: yes, exists: number}
effect: rename
---
flow: alerts
owner: operations
subscribe: ferrule.expectation-missed.v1
to: {file: 'SHARED/alerts/$(.key).json', create: yes, exists: number}
effect: rename
"""
TRANSFER = """
transfer: nightly
owner: treasury
from: {file: 'SHARED/nightly/*.sta', after: delete, age: 0s, interval: 100ms, machines: one}
schedule: {every: EVERYs, missed: all}
to: {file: 'SHARED/stored/$($envelope.name)', create: yes, exists: number}
effect: rename
"""


class Proxy:
    """Forwards to a port of this machine, until it is cut: then it goes on holding the connections, and nothing goes through."""

    def __init__(self, to):
        self.to, self.open, self.ended = to, True, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs = {}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended:
            readable, _, _ = select.select([self.listener, *(self.pairs if self.open else ())], [], [], 0.05)
            for one in readable:
                if one is self.listener:
                    here, _ = one.accept()
                    try:
                        there = socket.create_connection(("127.0.0.1", self.to))
                    except OSError:
                        here.close()
                        continue
                    self.pairs[here], self.pairs[there] = there, here
                elif one in self.pairs and self.open:
                    self.forward(one)

    def forward(self, one):
        other = self.pairs[one]
        try:
            data = one.recv(65536)
            other.sendall(data)
        except OSError:
            data = b""
        if not data:
            for end in (one, other):
                self.pairs.pop(end, None)
                end.close()

    def close(self):
        self.ended = True
        self.thread.join()
        for end in (self.listener, *self.pairs):
            end.close()


def names(folder):
    return sorted(name for name in os.listdir(folder) if not name.startswith(".")) if os.path.isdir(folder) else []


def prepare(site, servers, shared, port):
    site.write("site.yaml", f"name: e2e\nlimits: {{disk-reserve: 1MiB}}\nprocesses: {{transform: 1}}\nvault: {shared}/vault\n")
    servers.choose(site)
    text = read(site.at("site.yaml")).decode()
    site.write("site.yaml", text.replace(f"port: {servers.pg('PORT')},", f"port: {port}, timeout: 8s,"))
    os.makedirs(site.at("ack"))
    os.makedirs(shared, exist_ok=True)
    site.write("flows/all.yaml", FLOWS.lstrip("\n").replace("SHARED", shared))
    site.write("transfers/nightly.yaml", TRANSFER.lstrip("\n").replace("SHARED", shared).replace("EVERY", str(EVERY)))


def drop(shared, name):
    for folder, ending in (("in", ".json"), ("nightly", ".sta")):
        os.makedirs(os.path.join(shared, folder), exist_ok=True)
        aside = os.path.join(shared, "aside")
        with open(aside, "w") as file:
            file.write(json.dumps({"number": name}))
        os.rename(aside, os.path.join(shared, folder, name + ending))


def asks(site, offset=0):
    return all(site.said(f"this machine asks the source endpoint={name}", offset) for name in ("dropped", "nightly"))


def everything(shared, wanted):
    """Each once, whatever was taken over. What a broker had given to the machine that is away comes when that is known."""
    for folder, ending in (("out", ".json"), ("stored", ".sta"), ("alerts", ".json")):
        wait(lambda f=folder: len(names(os.path.join(shared, f))) >= len(wanted), 60, f"all in {folder}")
    time.sleep(EVERY + 1)
    for folder, ending in (("out", ".json"), ("stored", ".sta"), ("alerts", ".json")):
        equal(names(os.path.join(shared, folder)), sorted(name + ending for name in wanted), folder)
    for folder in ("in", "nightly"):
        equal(names(os.path.join(shared, folder)), [], f"left in {folder}")


def runs(machines):
    """The due times, in seconds, of every run that began."""
    found = []
    for site in machines:
        for due in re.findall(r"run begins transfer=nightly .*due=(\S+)", read(site.log_path).decode("utf-8", "replace")):
            found.append(int(datetime.datetime.fromisoformat(due.strip('"').replace("Z", "+00:00")).timestamp()))
    return sorted(found)


def taken_over(site, offset, shared, wanted, what):
    """Drops go on from the moment on which the first can do nothing; how long it took until the other takes them, and judges."""
    began, took = time.monotonic(), {}
    for n in range(5):
        wanted.append(f"{what}-behind-{n}")
        drop(shared, wanted[-1])
    wait(lambda: not names(os.path.join(shared, "in")), 2 * MOVE, f"the source to move, {what}")
    took["source"] = time.monotonic() - began
    wait(lambda: not names(os.path.join(shared, "nightly")), 2 * MOVE, f"the schedule to move, {what}")
    took["schedule"] = time.monotonic() - began - EVERY
    wait(lambda: site.said("missed expectation=kept", offset), 2 * MOVE, f"the judging to move, {what}")
    took["expectations"] = time.monotonic() - began - 2
    if os.environ.get("FERRULE_FIGURES"):
        print(f"# {what}: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in took.items()))
    for name, seconds in took.items():
        check(seconds < MOVE, f"{what}: {name} took {seconds:.1f} s to move")


def stop_and_go(site, number, only=None):
    for name, pids in site.processes().items():
        for pid in pids:
            if not only or only(pid):
                os.kill(pid, number)


def polls(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file, open(f"/proc/{pid}/comm") as comm:
        return b"poll" in file.read() or "poll" in comm.read()


@test("a machine that is cut off from the store, or stands still, is replaced within ten seconds, and does nothing a second time")
def cut_off(site):
    other, servers, proxy = Site(), Servers(), None
    shared, wanted = os.path.join(site.root, "shared"), []
    machines = (site, other)
    try:
        proxy = Proxy(int(servers.pg("PORT")))
        prepare(site, servers, shared, proxy.port)
        prepare(other, servers, shared, servers.pg("PORT"))
        site.start()
        wait(lambda: asks(site), 20, "all sources")
        other.start()
        for n in range(5):
            wanted.append(f"first-{n}")
            drop(shared, wanted[-1])
        wait(lambda: len(names(os.path.join(shared, "out"))) >= 5, 20, "what the first takes")

        offset = os.path.getsize(other.log_path)
        proxy.open = False
        taken_over(other, offset, shared, wanted, "cut off")
        proxy.open = True
        everything(shared, wanted)
        wait(lambda: site.said("the store is back"), 30, "the one that was cut off")
        equal(len(re.findall(rb"this machine asks", read(site.log_path))), 2, "it asks sources that are the other's")

        offset = os.path.getsize(site.log_path)
        for n in range(40):
            wanted.append(f"load-{n}")
            drop(shared, wanted[-1])
        wait(lambda: len(names(os.path.join(shared, "out"))) > len(wanted) - 40, 10, "the load")
        os.kill(other.supervisor.pid, signal.SIGSTOP)
        stop_and_go(other, signal.SIGSTOP)
        taken_over(site, offset, shared, wanted, "standing still")
        stop_and_go(other, signal.SIGCONT, lambda pid: not polls(pid))
        wait(lambda: other.said("the store is back"), 30, "the one that stood still")
        stop_and_go(other, signal.SIGCONT)
        os.kill(other.supervisor.pid, signal.SIGCONT)
        everything(shared, wanted)
        due = runs(machines)
        equal(sorted(set(d for d in range(due[0], due[-1], EVERY) if d not in due)), [], "runs that were forgotten")
        equal(sorted({letter["code"] for letter in site.dead()}), [], "dead letters")
    except BaseException:
        for line in other.tail(12):
            print(f"#   the other machine: {line[:300]}")
        raise
    finally:
        if other.supervisor:
            stop_and_go(other, signal.SIGCONT)
            os.kill(other.supervisor.pid, signal.SIGCONT)
        if proxy:
            proxy.open = True
        other.close()
        servers.down()
        if proxy:
            proxy.close()


main()
