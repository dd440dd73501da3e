#!/usr/bin/env python3
"""The crash test: documents go through a site whose processes, brokers and disk fail all the time; afterwards every effect
must be there once, or be in doubt where nobody can know.

    crash.py --build DIR [--rounds N] [--seed S] [--queue spool|rabbitmq] [--documents N] [--seconds T] [--keep]

Each round has a site of its own. What is done to it is drawn from the seed, so that a round is repeated by
`--seed S --rounds 1` with the seed it printed; the machine's timing is its own. Exit 0 when every round held.
"""
import argparse
import base64
import collections
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
LAB = os.path.join(os.path.dirname(HERE), "lab")

# Every named fault point, by the role that passes it: a stop between every two lines of what must be durable in order.
FAULTS = [
    "vault.put", "vault.written", "vault.pack-synced", "vault.synced", "vault.file-synced", "vault.file-renamed",
    "receive.stored", "receive.synced", "receive.committed", "receive.settling",
    "file.fetched", "file.archived", "file.archive-synced",
    "unit.sent", "unit.answered",
    "queue.received", "queue.published", "queue.early", "queue.stored", "queue.committed", "queue.settling",
    "queue.settled", "queue.answered", "queue.effect", "queue.parked", "queue.dead",
    "store.intended", "store.parked", "db.commit", "db.committed",
    "transform.running", "transform.done", "transform.synced", "transform.committed",
    "deliver.prepared", "deliver.intended", "deliver.done", "deliver.settled",
    "file.written", "file.synced", "file.linking", "file.linked", "file.placed", "file.renamed", "file.dirsynced", "file.reaped",
    "http.start", "http.connected", "http.sent", "http.answered",
]
AMQP_FAULTS = ["amqp.publish", "amqp.published", "amqp.confirmed", "amqp.delivered", "amqp.ack", "amqp.acked"]

FLOWS = {
    "intake": """
flow: intake
owner: tests
from: {file: 'drop/in/*.json', after: archive, age: 0s, interval: 100ms}
duplicates: {by: content, within: 30d}
steps:
  - decode: json
  - split: {by: '.items[]', id: [.n]}
publish: thing.received.v1
""",
    "to-files": """
flow: to-files
owner: tests
subscribe: thing.received.v1
steps: [{encode: json}]
to: {file: 'drop/out/$(.n).json', exists: refuse, create: yes}
effect: rename
retry: {for: 1h, from: 50ms, to: 300ms}
""",
    "to-keyed": """
flow: to-keyed
owner: tests
subscribe: thing.received.v1
steps: [{encode: json}]
to: {operation: keyed.put}
effect: {key: 'thing-$(.n)', remembers: 24h}
retry: {for: 1h, from: 50ms, to: 300ms}
""",
    "to-plain": """
flow: to-plain
owner: tests
subscribe: thing.received.v1
steps: [{encode: json}]
to: {operation: plain.put}
effect: none
retry: {for: 1h, from: 50ms, to: 300ms}
""",
}


class Failure(Exception):
    pass


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [json.loads(line) for line in file if line.strip()]


class Servers:
    """RabbitMQ and PostgreSQL, real ones, for as long as the test lasts."""

    def __init__(self, root):
        self.rabbit = os.path.join(root, "rabbitmq")
        self.postgres = os.path.join(root, "postgresql")
        os.chmod(root, 0o755)
        self.env = {}
        for script, directory in (("rabbitmq.sh", self.rabbit), ("postgresql.sh", self.postgres)):
            self.run(script, "up", directory)
            for line in self.run(script, "env", directory).splitlines():
                name, _, value = line.replace("export ", "").partition("=")
                self.env[name.strip()] = value.strip().strip("'\"")

    @staticmethod
    def run(script, *arguments):
        done = subprocess.run([os.path.join(LAB, script), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=180)
        if done.returncode == 77:
            raise Failure("skip: " + done.stderr.strip())
        if done.returncode:
            raise Failure(f"{script} {arguments[0]}: {done.stderr.strip()[-400:]}")
        return done.stdout

    def trouble(self, rng):
        script, directory = rng.choice((("rabbitmq.sh", self.rabbit), ("postgresql.sh", self.postgres)))
        how = rng.choice(("kill", "stop"))
        self.run(script, how, directory)
        time.sleep(rng.uniform(0, 2))
        self.run(script, "start", directory)
        return f"{script} {how}"

    def down(self):
        for script, directory in (("rabbitmq.sh", self.rabbit), ("postgresql.sh", self.postgres)):
            try:
                self.run(script, "down", directory)
            except Failure:
                pass


class Round:
    def __init__(self, options, seed, servers):
        self.options, self.seed, self.servers = options, seed, servers
        self.rng = random.Random(seed)
        self.root = tempfile.mkdtemp(prefix=f"ferrule-crash-{seed}-")
        self.site = os.path.join(self.root, "site")
        self.work = os.path.join(self.root, "work")
        os.makedirs(self.work)
        self.ferrule = os.path.join(options.build, "ferrule")
        self.counterpart = os.path.join(options.build, "tests/lab/counterpart")
        self.supervisor = None
        self.helpers = []
        self.numbers = []
        self.documents = 0
        self.mounted = False
        self.log = open(os.path.join(self.work, "ferrule.log"), "ab")

    # ---- the site
    def make_site(self):
        if self.options.full_disk:
            self.mount()
        store = ""
        if self.servers:
            env = self.servers.env
            prefix = f"r{self.seed}-{os.getpid()}"
            write(f"{self.site}/secrets/amqp", env["AMQP_PASSWORD"] + "\n", 0o600)
            store = (f"queue: {{amqp: {{host: {env['AMQP_HOST']}, port: {env['AMQP_PORT']}, user: {env['AMQP_USER']},"
                     f" password: {{secret: amqp}}, exchange: {prefix}, prefix: '{prefix}.'}}}}\n"
                     f"store: {{postgresql: {{host: {env['PGHOST']}, port: {env['PGPORT']}, user: {env['PGUSER']},"
                     f" database: {env['PGDATABASE']}, schema: '{prefix.replace('-', '_')}'}}}}\n")
        reserve = "0" if self.options.full_disk else "1MiB"
        write(f"{self.site}/site.yaml", f"name: crash\n{store}limits: {{disk-reserve: {reserve}}}\n")
        for name, text in FLOWS.items():
            write(f"{self.site}/flows/{name}.yaml", text)
        for name in ("keyed", "plain"):
            log = f"{self.work}/{name}.jsonl"
            port = f"{self.work}/{name}.port"
            extra = ["--idempotent"] if name == "keyed" else ["--plain"]
            # Now and then the target does it and the answer is lost, or it says no for a while.
            extra += ["--fail-every", str(self.rng.randint(20, 60)), "--status", "503"]
            if name == "keyed":
                extra += ["--drop-after-effect", str(self.rng.randint(15, 50))]
            self.helpers.append(subprocess.Popen([self.counterpart, "serve", "--log", log, "--port-file", port, *extra],
                                                 stdout=self.log, stderr=self.log))
            self.wait(lambda p=port: os.path.exists(p) and os.path.getsize(p) > 0, 10, "the target")
            with open(port) as file:
                url = f"http://127.0.0.1:{file.read().strip()}"
            write(f"{self.site}/systems/{name}.yaml",
                  f"system: {name}\nowner: tests\nurl: {url}\ntimeout: 3s\noperations:\n  put: {{method: POST, path: '/{name}/$(.n)'}}\n")
        os.makedirs(f"{self.site}/drop/in", exist_ok=True)
        os.makedirs(f"{self.site}/drop/out", exist_ok=True)
        os.chmod(f"{self.site}/secrets", 0o700) if os.path.isdir(f"{self.site}/secrets") else None
        self.helpers.append(subprocess.Popen([self.counterpart, "take", f"{self.site}/drop/out", f"{self.work}/files.jsonl"],
                                             stdout=self.log, stderr=self.log))

    def mount(self):
        os.makedirs(f"{self.site}/data")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", f"{self.site}/data"], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise Failure("skip: a small file system cannot be mounted here: " + done.stderr.strip())
        self.mounted = True

    def drop(self):
        """One document, small ones mostly, now and then one that is split hundredfold; written aside and renamed."""
        size = 1 if self.rng.random() < 0.9 else self.rng.randint(50, self.options.split)
        first = len(self.numbers)
        items = [{"n": first + i, "text": "x" * self.rng.randint(0, 200)} for i in range(size)]
        if self.rng.random() < 0.02:
            items[0]["text"] = "y" * 150_000  # larger than what travels inline
        self.numbers.extend(item["n"] for item in items)
        self.documents += 1
        path = f"{self.site}/drop/in/doc-{self.documents:06d}.json"
        with open(path + ".tmp", "w") as file:
            json.dump({"items": items}, file)
        os.rename(path + ".tmp", path)

    # ---- processes
    def start(self, faults):
        env = dict(os.environ)
        if faults:
            env["FERRULE_FAULTS"] = ",".join(faults)
            env["FERRULE_FAULT_SEED"] = str(self.rng.randint(1, 1 << 30))
        else:
            env.pop("FERRULE_FAULTS", None)
        self.supervisor = subprocess.Popen([self.ferrule, "run", self.site, "--log", "warn"], stdout=self.log, stderr=self.log, env=env)

    def processes(self):
        """The supervisor's children: {name: [pid]}."""
        found = collections.defaultdict(list)
        try:
            with open(f"/proc/{self.supervisor.pid}/task/{self.supervisor.pid}/children") as file:
                pids = [int(word) for word in file.read().split()]
        except OSError:
            return found
        for pid in pids:
            try:
                with open(f"/proc/{pid}/comm") as file:
                    found[file.read().strip()].append(pid)
            except OSError:
                pass
        return found

    @staticmethod
    def kill(pid, number=signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def choose_faults(self):
        points = FAULTS + (AMQP_FAULTS if self.servers else [])
        chosen = self.rng.sample(points, self.rng.randint(1, 4))
        return [f"{name}%{self.rng.choice((20, 60, 200))}=kill" for name in chosen]

    def trouble(self):
        """One piece of trouble; says what it was."""
        what = self.rng.choices(("role", "all", "supervisor", "term", "reload", "servers", "disk"),
                                (10, 2, 2, 1, 1, 3 if self.servers else 0, 4 if self.mounted else 0))[0]
        if what == "role":
            processes = self.processes()
            if not processes:
                return "nobody to kill"
            name = self.rng.choice(sorted(processes))
            self.kill(self.rng.choice(processes[name]))
            return f"kill {name}"
        if what == "servers":
            return self.servers.trouble(self.rng)
        if what == "reload":
            self.kill(self.supervisor.pid, signal.SIGHUP)
            return "reload"
        if what == "disk":
            return self.fill_disk()
        if what == "all":
            pids = [pid for group in self.processes().values() for pid in group]
            self.kill(self.supervisor.pid)
            for pid in pids:
                self.kill(pid)
        elif what == "supervisor":
            self.kill(self.supervisor.pid)
        else:
            self.kill(self.supervisor.pid, signal.SIGTERM)
        self.supervisor.wait(timeout=30)
        self.start(self.choose_faults() if self.rng.random() < 0.8 else [])
        return what

    def fill_disk(self):
        path = f"{self.site}/data/filler"
        try:
            with open(path, "wb") as file:
                while True:
                    file.write(b"z" * 65536)
                    file.flush()
        except OSError:
            pass
        time.sleep(self.rng.uniform(0.2, 1.5))
        os.unlink(path)
        return "full disk"

    def wait(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise Failure(f"waited {seconds} s for {what}")
            time.sleep(0.05)

    # ---- the round
    def run(self):
        self.make_site()
        check = subprocess.run([self.ferrule, "check", self.site], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if check.returncode:
            raise Failure("the site is not valid:\n" + check.stdout)
        self.start(self.choose_faults())
        end = time.monotonic() + self.options.seconds
        done = collections.Counter()
        while time.monotonic() < end or self.documents < self.options.documents:
            for _ in range(self.rng.randint(1, 1 + self.options.documents // 10)):
                if self.documents < self.options.documents:
                    self.drop()
            time.sleep(self.rng.uniform(0.1, 1.0))
            if self.supervisor.poll() is not None:
                self.start(self.choose_faults())
            done[self.trouble().split(" ")[0]] += 1
        self.finish()
        self.judge()
        return done

    def finish(self):
        """No more trouble: everything must come to its end by itself."""
        if self.supervisor.poll() is None:
            self.kill(self.supervisor.pid, signal.SIGTERM)
            self.supervisor.wait(timeout=30)
        env = dict(os.environ)
        env.pop("FERRULE_FAULTS", None)
        done = subprocess.run([self.ferrule, "run", self.site, "--until-idle", "--for", f"{self.options.settle}s", "--log", "warn"],
                              stdout=self.log, stderr=self.log, env=env)
        if done.returncode:
            raise Failure(f"the last run ended with {done.returncode}")
        time.sleep(0.5)  # the reader takes the last files away
        for helper in self.helpers:
            helper.terminate()
            helper.wait(timeout=20)

    def ask(self, *arguments):
        done = subprocess.run([self.ferrule, *arguments, "--site", self.site, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise Failure(f"ferrule {' '.join(arguments)}: {done.stderr.strip()[-400:]}")
        return json.loads(done.stdout)

    def doubts(self):
        found = collections.Counter()
        for doubt in self.ask("doubt", "list")["doubts"]:
            text = self.ask("doubt", "show", doubt["key"])
            # the address is part of the message: its last number tells which thing it was
            address = re.search(rb"/plain/(\d+)", base64.b64decode(text["envelope"]))
            found[int(address.group(1)) if address else doubt["key"]] += 1
        return found

    def judge(self):
        wanted = set(self.numbers)
        problems = []

        def once(name, numbers, complete=True):
            twice = [n for n, count in collections.Counter(numbers).items() if count > 1]
            if twice:
                problems.append(f"{name}: {len(twice)} twice, such as {twice[:5]}")
            if complete and wanted - set(numbers):
                problems.append(f"{name}: {len(wanted - set(numbers))} of {len(wanted)} missing, such as {sorted(wanted - set(numbers))[:5]}")
            if set(numbers) - wanted:
                problems.append(f"{name}: {len(set(numbers) - wanted)} that were never sent")

        once("files", [int(line["name"].split(".")[0]) for line in lines(f"{self.work}/files.jsonl")])
        once("keyed", [int(line["key"].split("-")[1]) for line in lines(f"{self.work}/keyed.jsonl")])
        plain = [int(line["path"].rsplit("/", 1)[1]) for line in lines(f"{self.work}/plain.jsonl")]
        once("plain", plain, complete=False)
        dead = self.ask("dead", "list")
        if dead["letters"]:
            problems.append(f"dead letters: {[(g['cause'], g['step'], g['count']) for g in dead['groups']]}")
        doubts = self.doubts()
        lost = wanted - set(plain) - set(n for n in doubts if isinstance(n, int))
        if lost:
            problems.append(f"plain: {len(lost)} neither delivered nor in doubt, such as {sorted(lost)[:5]}")
        left = [name for name in os.listdir(f"{self.site}/drop/in") if name != "archive"]
        if left:
            problems.append(f"left in the source folder: {left[:5]}")
        left = os.listdir(f"{self.site}/drop/out")
        if left:
            problems.append(f"left in the target folder: {left[:5]}")
        archived = sum(len(files) for _, _, files in os.walk(f"{self.site}/drop/in/archive"))
        if archived != self.documents:
            problems.append(f"{archived} documents in the archive, {self.documents} were dropped")
        if problems:
            raise Failure("\n".join(problems))
        self.summary = f"{self.documents} documents, {len(wanted)} messages, plain {len(plain)} delivered and {len(doubts)} in doubt"

    def clean(self, keep):
        for process in self.helpers + [self.supervisor]:
            if process and process.poll() is None:
                process.kill()
                process.wait()
        self.log.close()
        if self.mounted and not keep:
            subprocess.run(["umount", "-l", f"{self.site}/data"])
        if not keep:
            shutil.rmtree(self.root, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description="the crash test")
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--queue", choices=("spool", "rabbitmq"), default="spool")
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--split", type=int, default=1000, help="the most that one document is split into")
    parser.add_argument("--seconds", type=float, default=60, help="how long there is trouble")
    parser.add_argument("--settle", type=int, default=300, help="how long it may take to come to an end afterwards")
    parser.add_argument("--full-disk", action="store_true", help="the site's data on a small file system that fills up")
    parser.add_argument("--keep", action="store_true", help="leave everything of a failed round")
    options = parser.parse_args()
    root = tempfile.mkdtemp(prefix="ferrule-crash-servers-")
    servers, failed = None, 0
    try:
        if options.queue == "rabbitmq":
            servers = Servers(root)
        for number in range(options.rounds):
            one = Round(options, options.seed + number, servers)
            good = False
            try:
                done = one.run()
                good = True
                print(f"ok seed {one.seed}: {one.summary}; trouble: {dict(done)}", flush=True)
            except (Failure, subprocess.TimeoutExpired) as failure:
                if str(failure).startswith("skip: "):
                    print(f"1..0 # SKIP {str(failure)[6:]}")
                    return 77
                failed += 1
                print(f"FAILED seed {one.seed}: {failure}\n  again: --seed {one.seed} --rounds 1 --queue {options.queue}; left in {one.root}", flush=True)
            finally:
                one.clean(keep=not good and options.keep)
    except Failure as failure:
        print(f"1..0 # SKIP {failure}")
        return 77
    finally:
        if servers:
            servers.down()
        shutil.rmtree(root, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
