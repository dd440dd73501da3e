#!/usr/bin/env python3
"""One site on two machines: each source, each schedule and the judging of expectations has one holder. Killing that one, again
and again, moves all of them within ten seconds; nothing is taken twice, nothing is forgotten, and a run that was due meanwhile
happens once. FERRULE_ROUNDS=20 for longer (`make machines`); FERRULE_FIGURES=1 prints how long each move took."""
import datetime
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "crash"))
import lab  # noqa: E402
from bed import Site, Skip, check, equal, main, read, test, wait  # noqa: E402

ROUNDS = int(os.environ.get("FERRULE_ROUNDS") or 3)
EVERY = 4
MOVE = 10

ACME = """
system: acme
owner: partners
sftp:
  host: HOST
  port: PORT
  user: acme
  key: {secret: acme-key}
  known-hosts: KNOWN
"""
TRANSFERS = """
transfer: nightly
owner: treasury
from: {sftp: 'archive/*.sta', system: acme, after: delete, age: 0s, interval: 200ms}
schedule: {every: 4s, missed: all}
to: {file: 'SHARED/nightly/$($envelope.name)', create: yes, exists: number}
effect: rename
"""
FLOWS = """
flow: polled
owner: sales
from: {sftp: 'outbox/*.edi', system: acme, after: delete, age: 0s, interval: 200ms}
to: {file: 'SHARED/polled/$($envelope.name)', create: yes, exists: number}
effect: rename
---
flow: dropped
owner: sales
from: {file: 'SHARED/in/*.json', after: delete, age: 0s, interval: 200ms, machines: one}
steps:
  - decode: json
publish: order.received.v1
---
flow: answered
owner: sales
subscribe: order.received.v1
to: {file: 'SHARED/dropped/$(.number).json', create: yes, exists: number}
effect: rename
expect: {event: order.accepted.v1, key: .number, within: 3s}
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
SOURCES = ("polled", "nightly", "dropped")


class Openssh:
    """An OpenSSH server with the partner acme."""

    def __init__(self, root):
        self.root = os.path.join(root, "sftp")
        os.chmod(root, 0o755)
        done = self.run("up", self.root)
        if done.returncode:
            raise Skip((done.stdout or "no OpenSSH server").strip().splitlines()[-1])
        self.env = dict(re.findall(r"^(\w+)=(.*)$", done.stdout, re.M))
        self.home = os.path.join(self.env["SFTP_HOME"], "acme")

    def run(self, *words):
        out = self.root + ".out"
        with open(out, "w+") as file:
            done = subprocess.run([os.path.join(os.path.dirname(HERE), "lab", "sftp-openssh.sh"), *words], stdin=subprocess.DEVNULL,
                                  stdout=file, stderr=file, timeout=60, check=False, env={**os.environ, "LAB_PARTNERS": "acme"})
        with open(out) as file:
            done.stdout = file.read()
        return done

    def drop(self, name, text):
        path = os.path.join(self.home, name)
        with open(path + ".part", "w") as file:
            file.write(text)
        os.chmod(path + ".part", 0o666)
        os.rename(path + ".part", path)


def names(folder):
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except FileNotFoundError:
        return []


def holder(machines, source, logs):
    """Who said last that it asks this source, of those that live."""
    for site in machines:
        if site.supervisor.poll() is None and site.said(f"this machine asks the source endpoint={source}", logs[site]):
            return site
    return None


def runs(machines):
    """The due times, in seconds, of every run that began, and who began it."""
    found = []
    for site in machines:
        for line in read(site.log_path).decode("utf-8", "replace").splitlines():
            due = re.search(r"run begins transfer=nightly .*due=(\S+)", line)
            if due:
                found.append((datetime.datetime.fromisoformat(due.group(1).rstrip('"').replace("Z", "+00:00")).timestamp(), site))
    return sorted(found, key=lambda f: f[0])


def prepare(machines, servers, sftp, shared):
    settings, secrets = servers.settings("two")
    with open(os.path.join(sftp.env["SFTP_KEYS"], "acme")) as file:
        secrets["acme-key"] = file.read()
    os.makedirs(os.path.join(shared, "in"))
    for site in machines:
        site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 1}\n"
                   f"vault: {os.path.join(shared, 'vault')}\n" + settings)
        for name, value in secrets.items():
            site.secret(name, value)
        os.makedirs(site.at("ack"))
        site.write("systems/acme.yaml", ACME.lstrip("\n").replace("HOST", sftp.env["SFTP_HOST"]).replace("PORT", sftp.env["SFTP_PORT"])
                   .replace("KNOWN", sftp.env["SFTP_KNOWN_HOSTS"]))
        site.write("transfers/nightly.yaml", TRANSFERS.lstrip("\n").replace("SHARED", shared))
        site.write("flows/all.yaml", FLOWS.lstrip("\n").replace("SHARED", shared))


def drop_all(sftp, shared, number, wanted):
    """One of each kind."""
    for n in range(3):
        name = f"{number}-{n}"
        sftp.drop(f"outbox/{name}.edi", f"polled {name}")
        sftp.drop(f"archive/{name}.sta", f"nightly {name}")
        path = os.path.join(shared, f"{name}.part")
        with open(path, "w") as file:
            file.write('{"number": "%s"}' % name)
        os.rename(path, os.path.join(shared, "in", f"{name}.json"))
        wanted.append(name)


def until(folder, count, seconds):
    """When so many files lay there."""
    wait(lambda: len(names(folder)) >= count, seconds, f"{count} files in {folder}, there are {names(folder)}")
    return time.monotonic()


def kill_before_a_run(site):
    """Its processes end just before a run is due; when that is, by the wall, and when it was killed."""
    due = (int(time.time()) // EVERY + 1) * EVERY
    if due - time.time() < 0.5:
        due += EVERY
    time.sleep(due - time.time() - 0.3)
    site.kill_all()
    return due, time.monotonic(), time.time()


@test("killing the machine that holds sources, schedules and expectations moves them within ten seconds")
def moves(site):
    try:
        servers = lab.Servers()
    except lab.Skip as why:
        raise Skip(str(why)) from None
    other, sftp = Site(), None
    machines, shared = (site, other), os.path.join(site.root, "shared")
    logs, wanted, figures, killed_at = {site: 0, other: 0}, [], [], []
    try:
        sftp = Openssh(other.root)
        prepare(machines, servers, sftp, shared)
        site.start()
        wait(lambda: all(site.said(f"this machine asks the source endpoint={name}") for name in SOURCES), 20, "all sources")
        other.start()
        for number in range(ROUNDS):
            first = machines[number % 2]
            for name in SOURCES:
                equal(holder(machines, name, logs), first, f"who asks {name}")
            drop_all(sftp, shared, f"a{number}", wanted)
            until(os.path.join(shared, "polled"), len(wanted), 10)
            drop_all(sftp, shared, f"b{number}", wanted)
            due, killed, wall = kill_before_a_run(first)
            killed_at.append((wall, first))
            logs[first] = os.path.getsize(first.log_path)
            drop_all(sftp, shared, f"c{number}", wanted)
            moved = {"polled": until(os.path.join(shared, "polled"), len(wanted), 2 * MOVE) - killed,
                     "dropped": until(os.path.join(shared, "dropped"), len(wanted), 2 * MOVE) - killed}
            wait(lambda: [r for r in runs(machines) if r[0] >= due and r[1] is not first], 2 * MOVE, "the run that was due")
            moved["scheduled"] = time.monotonic() - killed
            until(os.path.join(shared, "nightly"), len(wanted), 2 * MOVE)
            moved["expected"] = until(os.path.join(shared, "alerts"), len(wanted), 2 * MOVE) - killed - 3
            for what, seconds in moved.items():
                check(seconds < MOVE, f"{what} took {seconds:.1f} s to move")
            figures.append(moved)
            first.start()
        check_all(machines, shared, wanted, killed_at)
        if os.environ.get("FERRULE_FIGURES"):
            for what in figures[0]:
                taken = sorted(f[what] for f in figures)
                print(f"# {what}: median {taken[len(taken) // 2]:.1f} s, most {taken[-1]:.1f} s of {len(taken)} moves")
    except BaseException:
        for line in other.tail(12):
            print(f"#   the other machine: {line[:300]}")
        raise
    finally:
        if sftp:
            sftp.run("down", sftp.root)
        other.close()
        servers.down()


def check_all(machines, shared, wanted, killed_at):
    """Everything once, and every run once."""
    time.sleep(EVERY + 1)
    machines[0].idle()
    for folder, ending in (("polled", ".edi"), ("nightly", ".sta"), ("dropped", ".json"), ("alerts", ".json")):
        equal(names(os.path.join(shared, folder)), sorted(name + ending for name in wanted), folder)
    due = [r[0] for r in runs(machines)]
    # one that was under way when its machine was killed is begun again, by the other
    under_way = [at for at, _ in killed_at]
    twice = sorted({d for d in due if due.count(d) > 1 and not any(0 <= at - d < 1.5 for at in under_way)})
    equal(twice, [], "runs that happened twice")
    missing = [d for d in range(int(due[0]), int(due[-1]), EVERY) if d not in due]
    equal(missing, [], "runs that were forgotten")


main()
