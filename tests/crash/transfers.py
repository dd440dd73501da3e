#!/usr/bin/env python3
"""Random trouble for managed transfers: files go out by SFTP or FTPS, encrypted and signed and with a sidecar each, to a
partner's server; the partner looks at both and lays the file down for us; it comes back, is decrypted, and its signature
verified. Each is mailed, too. Meanwhile processes are killed at any moment and at fault points, connections cut and
the server stopped. Afterwards:

  each file came back once with its own bytes, the partner saw each once, and its sidecar was true
  nothing hidden is left on the server or here, both archives are complete and known to retention, nothing is dead
  each mail was sent at most once, and what may have been sent is in doubt

    transfers.py --build DIR [--rounds N] [--seed S] [--documents N] [--seconds T]
                  [--server openssh|proftpd|ftp|ftp-pyftpdlib] [--keep]

Before the rounds every fault point on the way is struck once. Prints TAP.
"""
import argparse
import collections
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

from lab import LAB, Failure, Servers, Site, Skip, Tap, fault_names, has_faults, kill, lines, read, wait_for, write

PYTHON = "/usr/bin/python3"  # Debian's, which has its packages
AREAS = ("remote.", "mail.", "openpgp.", "deliver.", "receive.", "transform.", "archive.", "kept.", "sent.")
STRUCK = ("remote.", "mail.", "openpgp.", "kept.", "archive.", "transform.once", "store.intake")  # all of them must be
BROKER = ("amqp.p", "amqp.c", "amqp.a", "store.intake")  # with RabbitMQ
# Passed only where something else is configured or goes wrong besides.
SELDOM = {"archive.removed", "sent.removed", "transform.flushes", "remote.removed", "remote.broken", "remote.resolved", "remote.sidecar-aside", "remote.sidecar-gone"}
FLOWS = {
    "intake": """
from: {file: 'drop/in/*', after: archive, age: 0s, interval: 100ms}
retain: 30d
publish: file.in.v1
""",
    "up": """
subscribe: file.in.v1
steps:
  - encrypt: {to: @KEY@, sign: @KEY@}
  - checksum: {make: sha256}
to: {@SCHEME@: 'inbox/$($envelope.name)', system: acme, exists: refuse, archive: sent/acme}
effect: rename
retry: {for: 1h, from: 20ms, to: 200ms}
""",
    "down": """
from: {@SCHEME@: 'outbox/*.pgp', system: acme, after: archive, age: 0s, interval: 200ms}
retain: 30d
steps:
  - decrypt: {signed-by: @KEY@}
to: {file: 'drop/out/$($envelope.name)', exists: refuse, create: yes}
effect: rename
retry: {for: 1h, from: 20ms, to: 200ms}
""",
    "mailed": """
subscribe: file.in.v1
to: {mail: ops@example.org, from: ferrule@example.org, system: post, subject: '$($envelope.name)', text: 'It came.'}
effect: none
retry: {for: 1h, from: 20ms, to: 200ms}
""",
}


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False, **options)
    if done.returncode:
        raise Failure(f"{command[:3]}: {done.stdout.decode(errors='replace')[-400:]}")
    return done.stdout


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


SERVERS = {"openssh": "sftp-openssh", "proftpd": "sftp-proftpd", "ftp": "ftp-proftpd", "ftp-pyftpdlib": "ftp-pyftpdlib"}


class Server:
    """A partner's server of SFTP or FTPS, a real one, for as long as the test lasts."""

    def __init__(self, kind):
        if os.geteuid() != 0:
            raise Skip("a server with accounts of its own needs root")
        self.scheme = SERVERS[kind].split("-", maxsplit=1)[0]
        self.script = os.path.join(LAB, SERVERS[kind] + ".sh")
        self.directory = f"/tmp/ferrule-crash-{kind}-{os.getpid()}"
        text = run(self.script, "up", self.directory, "--while", str(os.getpid())).decode()
        self.env = dict(line.split("=", 1) for line in text.splitlines())
        self.home = self.env["FTP_HOME"] if self.scheme == "ftp" else os.path.join(self.env["SFTP_HOME"], "acme")

    def endpoint(self):
        """What the system's file says of it."""
        env = self.env
        if self.scheme == "ftp":
            return f"host: {env['FTP_HOST']}, port: {env['FTP_PORT']}, user: acme, password: {{secret: acme}}, ca: {env['FTP_CA']}"
        return (f"host: {env['SFTP_HOST']}, port: {env['SFTP_PORT']}, user: acme, key: {{secret: acme}}, "
                f"known-hosts: {env['SFTP_KNOWN_HOSTS']}")

    def secret(self):
        return self.env["FTP_PASSWORD"] if self.scheme == "ftp" else read(f"{self.env['SFTP_KEYS']}/acme")

    def do(self, verb):
        run(self.script, verb, self.directory)

    def clean(self):
        for folder in ("inbox", "outbox"):
            for name in os.listdir(f"{self.home}/{folder}"):
                path = f"{self.home}/{folder}/{name}"
                shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


class Other(threading.Thread):
    """The other sides: the partner, who looks at what it gets and lays it down for us, and who reads what comes back."""

    def __init__(self, home, out):
        super().__init__(daemon=True)
        self.home, self.out, self.ending = home, out, False
        self.problems, self.partner, self.sidecars = [], collections.Counter(), collections.Counter()
        self.back, self.sent = collections.defaultdict(list), {}

    def pair(self, name):
        sidecar = f"{self.home}/inbox/{name}.sha256"
        self.partner[name] += 1
        self.sidecars[name] += 1
        if digest_of(f"{self.home}/inbox/{name}") not in read(sidecar):
            self.problems.append(f"the sidecar of {name} is about something else")
        self.sent[name] = digest_of(f"{self.home}/inbox/{name}")
        self.sent[name + ".sha256"] = digest_of(sidecar)
        os.unlink(sidecar)
        os.rename(f"{self.home}/inbox/{name}", f"{self.home}/outbox/{name}")

    def look(self):
        names = {name for name in os.listdir(f"{self.home}/inbox") if not name.startswith(".")}
        for name in sorted(names):
            if name.endswith(".pgp") and name + ".sha256" in names:
                self.pair(name)
        for name in sorted(os.listdir(self.out)):
            if not name.startswith("."):
                self.back[name].append(digest_of(f"{self.out}/{name}"))
                os.unlink(f"{self.out}/{name}")

    def run(self):
        while not self.ending:
            self.look()
            time.sleep(0.02)


class Transfers(Site):
    """The site of this test; what it shares with the other crash tests is lab.Site's."""

    def __init__(self, build, name, rng, server, servers=None):
        self.server, self.files, self.smtp = server, {}, None
        super().__init__(build, name, rng, servers)

    def _make(self, mount, rate, cut):
        self.server.clean()
        settings = self.queue_settings()
        write(f"{self.site}/site.yaml", f"name: transfers\n{settings}processes: {{transform: 2}}\nlimits: {{disk-reserve: 1MiB}}\n")
        key = self._keys()
        scheme = self.server.scheme
        write(f"{self.site}/systems/acme.yaml",
              f"system: acme\nowner: tests\n{scheme}: {{{self.server.endpoint()}, timeout: 3s}}\n")
        write(f"{self.site}/secrets/acme", self.server.secret(), 0o600)
        os.chmod(f"{self.site}/secrets", 0o700)
        for folder in ("in", "out"):
            os.makedirs(f"{self.site}/drop/{folder}")
        for name, text in FLOWS.items():
            text = text.strip().replace("@KEY@", key).replace("@SCHEME@", scheme)
            kind = "transfer" if "retain:" in text else "flow"
            write(f"{self.site}/{kind}s/{name}.yaml", f"{kind}: {name}\nowner: tests\n{text}\n")
        self._mail()
        self.other_side = Other(self.server.home, f"{self.site}/drop/out")
        self.other_side.start()

    def _keys(self):
        home = f"{self.root}/gpg"
        os.makedirs(home, mode=0o700)
        gpg = ["gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", ""]
        run(*gpg, "--quick-generate-key", "ours", "future-default", "default", "2y")
        shown = run(*gpg, "--with-colons", "--list-keys", "ours").decode()
        secret = run(*gpg, "--export-secret-keys", "ours")
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
        run(self.ferrule, "key", "import", "-", "--site", self.site, input=secret)
        return re.search(r"^fpr:+([0-9A-F]+):", shown, re.M).group(1)

    def _mail(self):
        if subprocess.run([PYTHON, "-c", "import aiosmtpd"], stderr=subprocess.DEVNULL, check=False).returncode:
            raise Skip("python3-aiosmtpd is not installed")
        port = f"{self.work}/smtp.port"
        self.helpers.append(subprocess.Popen(  # pylint: disable=consider-using-with
            [PYTHON, os.path.join(LAB, "smtp.py"), "--log", f"{self.work}/mails.jsonl", "--port-file", port],
            stdout=self.log, stderr=self.log))
        wait_for(lambda: read(port), 20, "the mail server")
        write(f"{self.site}/systems/post.yaml",
              f"system: post\nowner: tests\nmail: {{host: 127.0.0.1, port: {read(port).strip()}, tls: none, timeout: 3s}}\n")

    def put(self):
        draw = self.rng.random()
        size = self.rng.randint(0, 20_000) if draw < 0.9 else self.rng.randint(500_000, 4_000_000)
        name = f"file-{len(self.files):05d}.dat"
        body = self.rng.randbytes(size)
        self.files[name] = hashlib.sha256(body).hexdigest()
        path = f"{self.work}/aside"
        with open(path, "wb") as file:
            file.write(body)
        os.rename(path, f"{self.site}/drop/in/{name}")

    def close(self):
        wait_for(lambda: not os.listdir(f"{self.site}/drop/out"), 10, "the reader to take the last files")

    def to_the_end(self, seconds):
        """Runs until everything came back, or nothing moves any more."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            code = self.run_idle(60)
            if code:
                raise Failure(f"the last run ended with {code}")
            if len(self.other_side.back) == len(self.files) and not self.not_archived():
                break
        self.run_idle(60)  # what was left of a delivery is swept when the next run begins
        self.close()
        self.other_side.ending = True
        self.other_side.join()

    def not_archived(self):
        return [name for name in os.listdir(f"{self.server.home}/outbox") if name != "archive"]

    def judge(self, doubts_allowed=True, links=False):
        other, wanted = self.other_side, set(self.files)
        problems = list(other.problems)
        for what, seen in (("came back", {name: len(all) for name, all in other.back.items()}),
                           ("the partner has", {name[:-4]: n for name, n in other.partner.items()})):
            twice = sorted(name for name, n in seen.items() if n > 1)
            if twice:
                problems.append(f"{what} twice: {len(twice)}, such as {twice[:3]}")
            if set(seen) != wanted:
                problems.append(f"{what} {len(seen)} of {len(wanted)}, missing {sorted(wanted - set(seen))[:3]}, "
                                f"never sent {sorted(set(seen) - wanted)[:3]}")
        wrong = [name for name, all in other.back.items() if name in wanted and set(all) != {self.files[name]}]
        if wrong:
            problems.append(f"other bytes: {wrong[:3]}")
        self._mails(problems, wanted)
        dead = self.ask("dead", "list", "--site", self.site)["groups"]
        if dead:
            problems.append(f"dead letters: {[(g['cause'], g['step'], g['flow'], g['count']) for g in dead]}")
        self._queues(problems)
        self._nothing_left(problems, wanted)
        self._copies(problems)
        self._archived(problems)
        if problems:
            raise Failure("\n".join(problems))
        self.summary = f"{len(self.files)} files out and back, {self.deaths()} processes killed, {self.mails}"

    def _mails(self, problems, wanted):
        sent = collections.Counter(mail["headers"]["Subject"] for mail in lines(f"{self.work}/mails.jsonl"))
        doubts = self.ask("doubt", "list", "--site", self.site)["doubts"]
        others = collections.Counter(doubt["endpoint"] for doubt in doubts if doubt["endpoint"] != "mailed")
        if others:
            problems.append(f"doubts where there is a means to know: {dict(others)}")
        twice = [name for name, n in sent.items() if n > 1]
        if twice:
            problems.append(f"{len(twice)} mails twice, such as {twice[:3]}")
        doubtful = sum(doubt["endpoint"] == "mailed" for doubt in doubts)
        unsent = wanted - set(sent)
        if len(unsent) > doubtful:
            problems.append(f"{len(unsent)} mails were not sent, such as {sorted(unsent)[:3]}, {doubtful} are in doubt")
        self.mails = f"{len(sent)} mails, {doubtful} in doubt, {len(unsent)} of them not sent"

    def _copies(self, problems):
        """What is kept of each file that went out: once, with the bytes that the partner got, and noted."""
        found, paths = collections.defaultdict(list), []
        for where, _, names in os.walk(f"{self.site}/sent/acme"):
            for name in names:
                found[name].append(digest_of(os.path.join(where, name)))
                paths.append(os.path.relpath(os.path.join(where, name), self.site))
        wrong = [name for name in set(found) | set(self.other_side.sent) if found[name] != [self.other_side.sent.get(name)]]
        if wrong:
            problems.append(f"{len(wrong)} copies of what was sent are missing, twice or other bytes, such as {sorted(wrong)[:3]}")
        noted = collections.Counter(entry["value"]["path"] for entry in self.entries("ferrule-sent"))
        if noted != collections.Counter(paths):
            problems.append(f"{len(paths)} copies, {sum(noted.values())} notes: {sorted((noted - collections.Counter(paths)) + (collections.Counter(paths) - noted))[:3]}")

    def _archived(self, problems):
        """Retention knows of each file that was archived: by its note, or by what was intended when a crash prevented that."""
        there = collections.Counter()
        for source, folder in (("intake", f"{self.site}/drop/in/archive"), ("down", f"{self.server.home}/outbox/archive")):
            for where, _, names in os.walk(folder):
                there.update((source, os.path.join(os.path.basename(where), name)) for name in names)

        def known(table):
            return collections.Counter((entry["key"].split("/")[0], "/".join(entry["value"]["path"].split("/")[-2:])) for entry in self.entries(table))
        noted, intended = known("ferrule-archived"), known("ferrule-archiving")
        for what, odd in (("files are archived that retention does not know of", there - noted - intended), ("notes are of nothing that is archived, or twice", noted - there)):
            if odd:
                problems.append(f"{sum(odd.values())} {what}, such as {sorted(odd)[:3]}")

    def entries(self, table):
        found, after = [], []
        while True:
            answer = self.ask("table", "list", table, *after, "--site", self.site)
            found += answer["entries"]
            if not answer.get("next"):
                return found
            after = ["--after", answer["next"]]

    def _nothing_left(self, problems, wanted):
        for folder in (f"{self.server.home}/inbox", f"{self.server.home}/outbox", f"{self.site}/drop/in",
                       f"{self.site}/drop/out"):
            left = [name for name in os.listdir(folder) if name != "archive"]
            if left:
                problems.append(f"{len(left)} left in {folder}, such as {left[:3]}")
        for folder, end in ((f"{self.site}/drop/in/archive", ""), (f"{self.server.home}/outbox/archive", ".pgp")):
            names = sorted(name for _, _, names in os.walk(folder) for name in names)
            if names != sorted(name + end for name in wanted):
                odd = sorted(set(names) ^ {name + end for name in wanted})
                problems.append(f"{folder} has {len(names)} of {len(wanted)}: {odd[:3]}")
        stray = [os.path.join(where, name) for where, _, names in os.walk(f"{self.site}/data") for name in names
                 if name.endswith((".tmp", ".new", ".part")) or name.startswith(".ferrule-")]
        if stray:
            problems.append(f"temporary files of the site: {stray[:3]}")


class Round:
    def __init__(self, options, seed, server, servers=None):
        self.options, self.server, self.rng = options, server, random.Random(seed)
        self.servers = servers
        self.points = sorted(name for name in fault_names() if name.startswith((*AREAS, server.scheme + ".") + BROKER * bool(servers)))
        self.site = Transfers(options.build, f"transfers-{seed}", self.rng, server, servers)
        self.done = collections.Counter()

    def faults(self):
        if self.rng.random() < 0.2:
            return []
        chosen = self.rng.sample(self.points, self.rng.randint(1, 5))
        return [f"{name}%{self.rng.choice((5, 20, 60))}=kill" for name in chosen]

    def trouble(self):
        site, rng = self.site, self.rng
        what = rng.choices(("role", "freeze", "all", "supervisor", "term", "lines", "server", "queue"),
                           (12, 3, 2, 2, 1, 3, 2, 2 if self.servers else 0))[0]
        processes = site.processes()
        if what in ("role", "freeze") and processes:
            name = rng.choice(sorted(processes))
            pid = rng.choice(processes[name])
            kill(pid, signal.SIGSTOP if what == "freeze" else signal.SIGKILL)
            if what == "freeze":
                time.sleep(rng.uniform(0.1, 1))
                kill(pid, signal.SIGCONT)
        elif what == "queue":
            return self.servers.trouble(rng)
        elif what in ("lines", "server"):
            self.server.do("stop")
            time.sleep(rng.uniform(0, 1.5) if what == "server" else 0)
            self.server.do("start")
        elif what in ("all", "supervisor", "term"):
            pids = [pid for group in processes.values() for pid in group] if what == "all" else []
            kill(site.supervisor.pid, signal.SIGTERM if what == "term" else signal.SIGKILL)
            for pid in pids:
                kill(pid)
            site.supervisor.wait(timeout=30)
            site.start(self.faults())
        return what

    def run(self):
        options, site = self.options, self.site
        ready = site.ready(60)
        site.start(self.faults())
        ready()
        began, count = time.monotonic(), 0
        while time.monotonic() - began < options.seconds or count < options.documents:
            share = options.documents * min(1.0, (time.monotonic() - began) / (options.seconds * 0.8))
            while count < share:
                site.put()
                count += 1
            time.sleep(self.rng.uniform(0.1, 0.8))
            if site.supervisor.poll() is not None:
                site.start(self.faults())
            self.done[self.trouble()] += 1
        site.stop()
        site.to_the_end(options.settle)
        site.judge()

    def strike_between(self):
        """Processes die between two publishes of one unit: the broker has the encrypted file, and not its sidecar."""
        site = self.site
        for number, point in enumerate(("transform.published", "amqp.published", "transform.published", "amqp.confirmed")):
            for _ in range(3):
                site.put()
            for end in (".struck", ".passed"):
                if os.path.exists(f"{site.marks}/{point}{end}"):
                    os.unlink(f"{site.marks}/{point}{end}")
            code = site.run_idle(60, [f"{point}:{number + 1}=kill", "transform.flushes%1=fail"], once=True)
            if code not in (0, -9):
                raise Failure(f"the site ended with {code}")

    def between(self):
        self.strike_between()
        self.site.to_the_end(self.options.settle)
        self.site.judge()

    def strike(self):
        """Every point on the way once."""
        site = self.site
        wanted = set(self.points) - SELDOM

        def struck():
            return {name[:-7] for name in os.listdir(site.marks) if name.endswith(".struck")}

        def missing():
            return {name for name in wanted - struck() if name.startswith((*STRUCK, self.server.scheme + "."))}

        for _ in range(12):
            site.put()
        for _ in range(40):
            code = site.run_idle(60, [f"{name}:1=kill" for name in sorted(wanted)], once=True)
            if code not in (0, -9):
                raise Failure(f"the site ended with {code}")
            if code == 0 and len(site.other_side.back) == len(site.files):
                if not missing():
                    break
                for _ in range(3):  # all were on their way before the last points came to their turn
                    site.put()
        if self.servers:
            self.strike_between()
        site.to_the_end(self.options.settle)
        site.judge()
        missed = missing()
        if missed:
            raise Failure(f"never passed: {sorted(missed)}")
        site.summary += f", struck at {len(struck())} points"


def one(options, seed, server, servers, tap, points):
    name = f"transfers by {options.server} over {options.queue}: " + (
        "killed between two publishes" if options.between else "killed at every fault point" if points else f"random trouble, seed {seed}")
    this, good = None, False
    try:
        this = Round(options, seed, server, servers)
        (this.between if options.between else this.strike if points else this.run)()
        good = True
        tap.result(True, name, f"{this.site.summary}\n{sum(this.done.values())} troubles: {dict(sorted(this.done.items()))}")
    except (Failure, subprocess.TimeoutExpired) as failure:
        left = f"left in {this.site.root}" if options.keep and this else "KEEP=yes leaves what there was"
        tap.result(False, name, f"{failure}\ntroubles: {dict(sorted(this.done.items())) if this else ''}\n{left}\n"
                                f"again: make crash-transfers ROUNDS=1 SEED={seed} SERVER={options.server} QUEUE={options.queue} DOCUMENTS={options.documents}"
                                f" DURATION={options.seconds:g}")
    finally:
        if this:
            this.site.other_side.ending = True
            this.site.clean(keep=not good and options.keep)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=60, help="how long there is trouble")
    parser.add_argument("--settle", type=int, default=240, help="how long it may take to come to an end afterwards")
    parser.add_argument("--server", choices=tuple(SERVERS), default="openssh")
    parser.add_argument("--queue", choices=("spool", "rabbitmq"), default="spool")
    parser.add_argument("--between", action="store_true", help="only what kills between the publishes of one unit")
    parser.add_argument("--keep", action="store_true", help="leave everything of a failed round")
    options, _ = parser.parse_known_args()
    tap, server, servers = Tap(), None, None
    try:
        server = Server(options.server)
        servers = Servers() if options.queue == "rabbitmq" else None
        if options.between and not has_faults(options.build):
            raise Skip("built without --enable-faults")
        if has_faults(options.build):
            one(options, options.seed, server, servers, tap, True)
        for number in range(0 if options.between else options.rounds):
            one(options, options.seed + number, server, servers, tap, False)
    except Skip as skip:
        tap.skip("transfers", skip)
    finally:
        if server:
            server.do("down")
        if servers:
            servers.down()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
