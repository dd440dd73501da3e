#!/usr/bin/env python3
"""Random trouble: documents go through a site whose processes, servers and disk fail all the time; afterwards every
effect must be there once, or be in doubt where nobody can know.

    crash.py --build DIR [--rounds N] [--seed S] [--queue spool|rabbitmq] [--documents N] [--seconds T]
             [--split N] [--full-disk] [--keep]

Each round has a site of its own. What is done to it is drawn from its seed, so that a round is repeated with
`--rounds 1 --seed S`; the machine's timing is its own. Prints TAP; exit 0 when every round held.
"""
import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import time

from lab import Failure, Servers, Site, Skip, Tap, fault_names, kill


class Round:
    def __init__(self, options, seed, servers):
        self.options, self.servers = options, servers
        self.rng = random.Random(seed)
        self.points = sorted(name for name in fault_names() if servers or not name.startswith("amqp."))
        self.site = Site(options.build, seed, self.rng, servers, mount=160 if options.full_disk else 0)
        self.done = collections.Counter()

    def faults(self):
        if self.rng.random() < 0.2:
            return []
        chosen = self.rng.sample(self.points, self.rng.randint(1, 4))
        return [f"{name}%{self.rng.choice((20, 60, 200))}=kill" for name in chosen]

    def drop(self):
        draw = self.rng.random()
        if draw < 0.05:
            self.site.drop_spoiled()
        elif draw < 0.25:
            self.site.post()
        elif draw < 0.95:
            self.site.drop(1, 200)
        elif draw < 0.98:
            self.site.drop(1, large=150_000)
        else:
            self.site.drop(self.rng.randint(20, self.options.split), 200)

    def trouble(self):
        """One piece of trouble; what it was."""
        site, rng = self.site, self.rng
        what = rng.choices(("role", "freeze", "all", "supervisor", "term", "reload", "servers", "disk"),
                           (12, 3, 2, 2, 1, 1, 4 if self.servers else 0, 4 if site.mounted else 0))[0]
        processes = site.processes()
        if what in ("role", "freeze") and processes:
            name = rng.choice(sorted(processes))
            pid = rng.choice(processes[name])
            if what == "freeze":
                kill(pid, signal.SIGSTOP)
                time.sleep(rng.uniform(0.1, 1))
                kill(pid, signal.SIGCONT)
            else:
                kill(pid)
            return f"{what} {name.split(':')[0].split('.')[0]}"
        if what == "servers":
            return self.servers.trouble(rng)
        if what == "reload":
            self.reload()
        elif what == "disk":
            self.fill_disk()
        elif what in ("all", "supervisor", "term"):
            pids = [pid for group in processes.values() for pid in group] if what == "all" else []
            kill(site.supervisor.pid, signal.SIGTERM if what == "term" else signal.SIGKILL)
            for pid in pids:
                kill(pid)
            site.supervisor.wait(timeout=30)
            site.start(self.faults())
        return what

    def reload(self):
        """A new revision: the same flows, with another word in the summary."""
        path = f"{self.site.site}/site.yaml"
        with open(path, encoding="utf-8") as file:
            text = [line for line in file if not line.startswith("summary:")]
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write("".join(text) + f"summary: revision {self.rng.randint(1, 1 << 30)}\n")
        os.rename(path + ".new", path)
        kill(self.site.supervisor.pid, signal.SIGHUP)

    def fill_disk(self):
        path = f"{self.site.site}/data/filler"
        try:
            with open(path, "wb", buffering=0) as file:
                while True:
                    file.write(b"z" * 65536)
        except OSError:
            pass
        time.sleep(self.rng.uniform(0.2, 1.5))
        os.unlink(path)

    def run(self):
        options, site = self.options, self.site
        ready = site.ready(60)
        site.start()
        ready()  # the queues exist: a broker that is killed while it makes one may never serve that again
        began = time.monotonic()
        count = 0
        while time.monotonic() - began < options.seconds or count < options.documents:
            share = options.documents * min(1.0, (time.monotonic() - began) / (options.seconds * 0.8))
            while count < share:
                self.drop()
                count += 1
            time.sleep(self.rng.uniform(0.1, 0.8))
            if site.supervisor.poll() is not None:
                site.start(self.faults())
            self.done[self.trouble()] += 1
        site.finish(options.settle)
        site.judge()


def again(options, seed):
    return (f"again: make crash ROUNDS=1 SEED={seed} QUEUE={options.queue} DOCUMENTS={options.documents}"
            f" DURATION={options.seconds:g} SPLIT={options.split}{' FULL_DISK=yes' if options.full_disk else ''}")


def run_round(options, seed, servers, tap):
    name = f"{options.queue}{', disk that fills up' if options.full_disk else ''}: random trouble, seed {seed}"
    one, good = None, False
    try:
        one = Round(options, seed, servers)
        one.run()
        good = True
        troubles = dict(sorted(one.done.items()))
        tap.result(True, name, f"{one.site.summary}\n{sum(one.done.values())} troubles: {troubles}")
    except (Failure, subprocess.TimeoutExpired) as failure:
        troubles = dict(sorted(one.done.items())) if one else ""
        left = f"left in {one.site.root}" if options.keep and one else "KEEP=yes leaves what there was"
        tap.result(False, name, f"{failure}\ntroubles: {troubles}\n{again(options, seed)}\n{left}")
    finally:
        if one:
            one.site.clean(keep=not good and options.keep)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--queue", choices=("spool", "rabbitmq"), default="spool")
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--split", type=int, default=1000, help="the most that one document is split into")
    parser.add_argument("--seconds", type=float, default=60, help="how long there is trouble")
    parser.add_argument("--settle", type=int, default=300, help="how long it may take to come to an end afterwards")
    parser.add_argument("--full-disk", action="store_true", help="the site's data on a small file system that fills up")
    parser.add_argument("--keep", action="store_true", help="leave everything of a failed round")
    options = parser.parse_args()
    tap, servers = Tap(), None
    try:
        if options.queue == "rabbitmq":
            servers = Servers()
        for number in range(options.rounds):
            run_round(options, options.seed + number, servers, tap)
    except Skip as skip:
        tap.skip(f"{options.queue}: random trouble", skip)
    finally:
        if servers:
            servers.down()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
