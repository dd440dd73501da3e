"""What the crash tests share: a site with every kind of end, its counterparts, real servers, and the judge.

Documents with numbered things go in through a watched folder and a webhook and are split; each thing must reach
  files    a folder whose reader takes every file away at once
  keyed    an HTTP target that honours idempotency keys and sometimes cuts the connection after the effect
  ordered  the same, in order by key
  plain    an HTTP target that honours nothing: what was interrupted there is in doubt, and a 503 is certainly no effect
  held     by way of durable steps: once in a collection, once in its document's group, and in its key's own sequence
What cannot be read becomes one dead letter each.
"""
import collections
import glob
import http.client
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from flows import FLOWS, SCHEMA, TARGETS

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.dirname(os.path.dirname(HERE))
LAB = os.path.join(os.path.dirname(HERE), "lab")
class Failure(Exception):
    """The program broke its promise."""


class Skip(Exception):
    """This cannot be tested here."""


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def lines(path):
    return [json.loads(line) for line in read(path).splitlines() if line.strip()]


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def fault_names():
    """Every fault point that the program's sources name."""
    names = set()
    for folder in ("base", "config", "transformers", "broker-adapters", "b2b", "mft", "operations", "services", "cli"):
        for path in glob.glob(os.path.join(SOURCES, folder, "**", "*.c"), recursive=True):
            names.update(re.findall(r'FAULT(?:_FAILS)?\("([^"]+)"\)', read(path)))
    return names


def has_faults(build):
    return re.search(r"^#define FERRULE_FAULTS\b", read(os.path.join(build, "config.h")), re.MULTILINE) is not None


class Servers:
    """RabbitMQ and PostgreSQL, real ones, for as long as the test lasts."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="ferrule-crash-servers-")
        os.chmod(self.root, 0o755)
        self.rabbit = os.path.join(self.root, "rabbitmq")
        self.postgres = os.path.join(self.root, "postgresql")
        if not shutil.which("rabbitmq-server") and not glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*"):
            raise Skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
        self.env = {}
        try:
            for script, directory in (("postgresql.sh", self.postgres), ("rabbitmq.sh", self.rabbit)):
                self.run(script, "up", directory)
                for name, value in re.findall(r"([A-Z_]+)=(\S+)", self.run(script, "env", directory)):
                    self.env[name] = value.strip("'\"")
        except (Failure, Skip, subprocess.TimeoutExpired):
            self.down()
            raise

    @staticmethod
    def run(script, *arguments):
        # The output goes to a file: a server that was started keeps no end of a pipe of ours.
        with tempfile.TemporaryFile("w+") as out:
            done = subprocess.run([os.path.join(LAB, script), *arguments], stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=out, timeout=180, check=False)
            out.seek(0)
            text = out.read()
        if done.returncode == 77:
            raise Skip(text.strip())
        if done.returncode:
            raise Failure(f"{script} {arguments[0]}: {text.strip()[-400:]}")
        return text

    def trouble(self, rng):
        script, directory = rng.choice((("rabbitmq.sh", self.rabbit), ("postgresql.sh", self.postgres)))
        how = rng.choice(("kill", "stop", "pause") if script == "rabbitmq.sh" else ("kill", "stop"))
        self.run(script, how, directory)
        time.sleep(rng.uniform(0, 2))
        self.run(script, "resume" if how == "pause" else "start", directory)
        return f"{how}-{script.split('.', maxsplit=1)[0]}"

    def settings(self, prefix):
        env = self.env
        return (f"queue: {{amqp: {{host: {env['AMQP_HOST']}, port: {env['AMQP_PORT']}, user: {env['AMQP_USER']},"
                f" password: {{secret: amqp}}, heartbeat: 2s, exchange: {prefix}, prefix: '{prefix}.'}}}}\n"
                f"store: {{postgresql: {{host: {env['FERRULE_PG_HOST']}, port: {env['FERRULE_PG_PORT']},"
                f" user: {env['FERRULE_PG_USER']}, password: {{secret: postgresql}},"
                f" database: {env['FERRULE_PG_DATABASE']}, schema: {prefix.replace('-', '_')}}}}}\n",
                {"amqp": env["AMQP_PASSWORD"], "postgresql": env["FERRULE_PG_PASSWORD"]})

    def down(self):
        for script, directory in (("rabbitmq.sh", self.rabbit), ("postgresql.sh", self.postgres)):
            try:
                if os.path.isdir(directory):
                    self.run(script, "down", directory)
            except (Failure, Skip, subprocess.TimeoutExpired):
                pass
        shutil.rmtree(self.root, ignore_errors=True)


class Poster(threading.Thread):
    """An application that posts each event until it is told 202, as often as that takes."""

    def __init__(self, port_file):
        super().__init__(daemon=True)
        self.port_file, self.todo, self.ending, self.tries = port_file, collections.deque(), False, 0

    def post(self, thing):
        connection = http.client.HTTPConnection("127.0.0.1", int(read(self.port_file)), timeout=5)
        try:
            connection.request("POST", "/things", json.dumps(thing), {
                "Content-Type": "application/json", "webhook-id": f"event-{thing['n']}",
                "webhook-timestamp": str(int(time.time()))})
            return connection.getresponse().status
        finally:
            connection.close()

    def run(self):
        while self.todo or not self.ending:
            if not self.todo:
                time.sleep(0.01)
                continue
            self.tries += 1
            try:
                status = self.post(self.todo[0])
            except (OSError, http.client.HTTPException, ValueError):
                status = 0
            if status == 202:
                self.todo.popleft()
            else:
                time.sleep(0.03)


class Site:
    """A site of its own with its counterparts; what went into it, and whether all of it came out once."""

    def __init__(self, build, name, rng=None, servers=None, mount=0, rate=1, cut=True):
        self.rng, self.servers, self.name = rng or random.Random(name), servers, name
        self.root = tempfile.mkdtemp(prefix=f"ferrule-crash-{name}-")
        self.site, self.work = os.path.join(self.root, "site"), os.path.join(self.root, "work")
        self.marks = os.path.join(self.root, "marks")
        os.makedirs(self.work)
        os.makedirs(self.marks)
        self.ferrule = os.path.join(build, "ferrule")
        self.counterpart = os.path.join(build, "tests/lab/counterpart")
        self.supervisor, self.helpers, self.mounted = None, [], False
        self.sequences = collections.Counter()
        self.things, self.documents, self.archived, self.spoiled = {}, 0, 0, 0
        self.other = None  # a folder on another file system, where there is one
        self.log_path = os.path.join(self.work, "ferrule.log")
        self.log = open(self.log_path, "ab")  # pylint: disable=consider-using-with
        self.poster = Poster(os.path.join(self.site, "data/run/http.port"))
        self.summary = ""
        try:
            self._make(mount, rate, cut)
        except Exception:
            self.clean(False)
            raise

    def queue_settings(self):
        """For site.yaml: a broker and a store of its own, where there are servers."""
        if not self.servers:
            return ""
        settings, secrets = self.servers.settings(f"r{self.name}-{os.getpid()}-{id(self) % 9973}".replace(".", "-"))
        for name, value in secrets.items():
            write(f"{self.site}/secrets/{name}", value + "\n", 0o600)
        os.chmod(f"{self.site}/secrets", 0o700)
        return settings

    def _make(self, mount, rate, cut):
        if mount:
            self._mount(mount)
        settings = self.queue_settings()
        reserve = "2MiB" if mount else "1MiB"
        write(f"{self.site}/site.yaml", f"name: crash\n{settings}listen: {{http: {{port: 0}}}}\n"
                                        f"processes: {{transform: 2}}\nlimits: {{disk-reserve: {reserve}}}\n")
        write(f"{self.site}/canonical/thing/v1.schema.json", json.dumps(SCHEMA))
        for folder in ("in", "out", "spoiled", "brief"):
            os.makedirs(f"{self.site}/drop/{folder}")
        if os.access("/dev/shm", os.W_OK) and os.stat("/dev/shm").st_dev != os.stat(self.root).st_dev:
            self.other = tempfile.mkdtemp(prefix="ferrule-crash-", dir="/dev/shm")
        self.archives = {"in": f"{self.site}/drop/in/archive", "spoiled": self.other or f"{self.site}/drop/aside"}
        for name, text in FLOWS.items():
            text = text.strip().replace("@ARCHIVE@", self.archives["spoiled"])
            write(f"{self.site}/flows/{name}.yaml", f"flow: {name}\nowner: tests\n{text}\n")
        for target in TARGETS:
            self._target(target, rate, cut)
        self._target("held", rate, cut, "".join(
            f"  {name}: {{method: POST, path: '/{name}/$(.{field})'}}\n"
            for name, field in (("collected", "ids"), ("grouped", "at"), ("sequenced", "n"))))
        self._helper("take", f"{self.site}/drop/out", f"{self.work}/files.jsonl")
        self.poster.start()

    def _mount(self, megabytes):
        os.makedirs(f"{self.site}/data")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", f"{self.site}/data"],
                              stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Skip("a small file system cannot be mounted here: " + done.stderr.strip())
        self.mounted = True

    def _helper(self, *arguments):
        self.helpers.append(subprocess.Popen([self.counterpart, *arguments], stdout=self.log, stderr=self.log))

    def _target(self, target, rate, cut, operations=""):
        """Now and then the target says no, or does it and the answer is lost."""
        port = f"{self.work}/{target}.port"
        default = f"  put: {{method: POST, path: '/{target}/$(.n)'}}\n"
        extra = ["--plain"] if target == "plain" else ["--idempotent"]
        extra += ["--fail-every", str(self.rng.randint(15, 60) // rate), "--status", "503"]
        if target != "plain" and cut:
            extra += ["--drop-after-effect", str(self.rng.randint(10, 50) // rate)]
        self._helper("serve", "--log", f"{self.work}/{target}.jsonl", "--port-file", port, *extra)
        wait_for(lambda: read(port), 10, "the target")
        write(f"{self.site}/systems/{target}.yaml",
              f"system: {target}\nowner: tests\nurl: http://127.0.0.1:{read(port).strip()}\ntimeout: 3s\n"
              f"operations:\n{operations or default}")

    # ---- what goes in
    def _thing(self, document, text):
        n = len(self.things)
        key = f"k{self.rng.randint(0, 4)}"
        self.sequences[key] += 1
        thing = {"n": n, "k": key, "s": self.sequences[key], "text": text}
        self.things[n] = (document, thing["k"])
        return thing

    def drop(self, size=1, text=40, large=0):
        """One document of that many things; written aside and renamed. `large`: bytes of the first one."""
        self.documents += 1
        folder = "brief" if self.rng.random() < 0.2 else "in"
        self.archived += folder == "in"
        items = [self._thing(self.documents, "x" * self.rng.randint(0, text)) for _ in range(size)]
        if large:
            items[0]["text"] = "y" * large
        path = f"{self.site}/drop/{folder}/doc-{self.documents:06d}.json"
        write(path + ".tmp", json.dumps({"items": items}))
        os.rename(path + ".tmp", path)

    def drop_spoiled(self):
        self.spoiled += 1
        path = f"{self.site}/drop/spoiled/bad-{self.spoiled:04d}.json"
        write(path + ".tmp", f"{{\"no end\": {self.spoiled}, ")
        os.rename(path + ".tmp", path)

    def post(self):
        self.poster.todo.append(self._thing(None, "posted"))

    # ---- processes
    def environment(self, faults, once):
        env = dict(os.environ)
        for name in ("FERRULE_FAULTS", "FERRULE_FAULT_MARKS"):
            env.pop(name, None)
        if faults:
            env["FERRULE_FAULTS"] = ",".join(faults)
            env["FERRULE_FAULT_SEED"] = str(self.rng.randint(1, 1 << 30))
        if once:
            env["FERRULE_FAULT_MARKS"] = self.marks
        return env

    def start(self, faults=(), once=False, arguments=()):
        self.supervisor = subprocess.Popen(
            [self.ferrule, "run", self.site, "--log", "warn,supervisor=info", *arguments],
            stdout=self.log, stderr=self.log, env=self.environment(faults, once))
        return self.supervisor

    def run_idle(self, seconds, faults=(), once=False):
        """A run until nothing is under way; its exit code."""
        self.start(faults, once, ("--until-idle", "--for", f"{seconds}s"))
        code = self.supervisor.wait(timeout=seconds + 30)
        self.supervisor = None
        return code

    def run_to_end(self, seconds, faults=(), once=False):
        """The same, until nothing waits for a time any more; what waits is no reason for a run to go on."""
        end = time.monotonic() + seconds
        while True:
            code = self.run_idle(seconds, faults, once)
            if code or time.monotonic() > end:
                return code
            if not self.ask("collect", "list", "--site", self.site)["collections"]:
                return code
            time.sleep(0.5)

    def stop(self, number=signal.SIGTERM, seconds=30):
        code = None
        if self.supervisor:
            kill(self.supervisor.pid, number)
            code = self.supervisor.wait(timeout=seconds)
        self.supervisor = None
        return code

    def processes(self):
        """The supervisor's children: {name: [pid]}."""
        found = collections.defaultdict(list)
        if self.supervisor:
            pid = self.supervisor.pid
            for child in read_proc(f"/proc/{pid}/task/{pid}/children").split():
                name = read_proc(f"/proc/{child}/comm").strip()
                if name:
                    found[name].append(int(child))
        return found

    def log_text_count(self, text):
        return read(self.log_path).count(text)

    def deaths(self):
        return len(re.findall(r'ended role=\S+ cause="signal 9', read(self.log_path)))

    def ready(self, seconds=15):
        """Waits until the supervisor that runs now says that the site is ready."""
        count = read(self.log_path).count("ready site=")
        return lambda: wait_for(lambda: read(self.log_path).count("ready site=") > count, seconds, "the site")

    # ---- the end
    def finish(self, settle):
        """No more trouble: everything must come to its end by itself."""
        self.stop()
        self.poster.ending = True
        self.start()
        wait_for(lambda: not self.poster.is_alive() or self.supervisor.poll() is not None, settle,
                 "the webhooks to be taken")
        if self.supervisor.poll() is not None:
            raise Failure(f"the site ended by itself with {self.supervisor.returncode}")
        self.stop()
        began = time.monotonic()
        code = self.run_to_end(settle)
        if code:
            raise Failure(f"the last run ended with {code}")
        if time.monotonic() - began >= settle:
            queues = self.ask("status", self.site)["queues"]
            left = {queue["name"]: queue["ready"] + queue["parked"] for queue in queues}
            raise Failure(f"not at its end after {settle} s: { {name: n for name, n in left.items() if n} }")
        self.close()

    def close(self):
        """The counterparts end, once all was taken away."""
        files = f"{self.site}/drop/out"
        wait_for(lambda: not [name for name in os.listdir(files) if not name.startswith(".")], 10,
                 "the reader to take the last files")
        for helper in self.helpers:
            helper.terminate()
            helper.wait(timeout=20)

    def ask(self, *arguments):
        done = subprocess.run([self.ferrule, *arguments, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60, check=False)
        if done.returncode:
            raise Failure(f"ferrule {' '.join(arguments)}: {done.stderr.strip()[-400:]}")
        return json.loads(done.stdout)

    def _once(self, problems, name, numbers, complete=True):
        wanted, count = set(self.things), collections.Counter(numbers)
        twice = sorted(n for n in count if count[n] > 1)
        if twice:
            problems.append(f"{name}: {len(twice)} twice, such as {twice[:5]}")
        missing = sorted(wanted - set(count))
        if complete and missing:
            problems.append(f"{name}: {len(missing)} of {len(wanted)} missing, such as {missing[:5]}")
        if set(count) - wanted:
            problems.append(f"{name}: {len(set(count) - wanted)} that were never sent")

    def _in_order(self, problems, numbers):
        last = {}
        for n in numbers:
            document, k = self.things.get(n, (None, None))
            if document is None:
                continue
            if last.get((document, k), -1) > n:
                problems.append(f"ordered: {n} came after {last[(document, k)]}, of the same key and document")
                return
            last[(document, k)] = n

    def _held(self, problems):
        """What went through durable steps: in order by key, in one collection, whole groups."""
        paths = [line["path"].split("/")[1:] for line in lines(f"{self.work}/held.jsonl")]
        sequenced = [int(word) for name, word in paths if name == "sequenced"]
        self._once(problems, "sequenced", sequenced)
        last = {}
        for n in sequenced:
            key = self.things[n][1]
            if last.get(key, -1) > n:
                problems.append(f"sequenced: {n} came after {last[key]}, of the same key")
                break
            last[key] = n
        self._once(problems, "collected", [int(n) for name, word in paths if name == "collected"
                                           for n in word.split("-")])
        wanted = {document for n, (document, _) in self.things.items() if document and n % 5 != 4}
        sizes = collections.Counter(document for n, (document, _) in self.things.items() if n % 5 != 4)
        grouped = collections.Counter()
        for first, size in ([int(n) for n in word.split("-")] for name, word in paths if name == "grouped"):
            grouped[self.things[first][0]] += 1
            if sizes[self.things[first][0]] != size:
                problems.append(f"grouped: {size} of {sizes[self.things[first][0]]} parts of a document")
        if grouped != collections.Counter(dict.fromkeys(wanted, 1)):
            problems.append(f"grouped: {len(grouped)} of {len(wanted)} documents, "
                            f"{[d for d in grouped if grouped[d] > 1][:5]} twice")

    def _left(self, problems, links):
        for folder in ("in", "spoiled", "brief", "out"):
            left = [name for name in os.listdir(f"{self.site}/drop/{folder}") if name != "archive"]
            if left and not (links and folder == "out"):
                problems.append(f"{len(left)} left in drop/{folder}, such as {left[:3]}")
        for folder, count in (("in", self.archived), ("spoiled", self.spoiled)):
            archived = [name for _, _, files in os.walk(self.archives[folder]) for name in files]
            if len(archived) != count:
                problems.append(f"{len(archived)} documents in the archive of drop/{folder}, {count} were dropped")
            wrong = [name for name in archived if not name.endswith(".json")]
            if wrong:
                problems.append(f"in the archive of drop/{folder}: {wrong[:3]}")

    def _queues(self, problems):
        status = self.ask("status", self.site)
        for queue in status["queues"]:
            rest = {what: queue[what] for what in ("ready", "unsettled", "parked") if queue[what]}
            if rest:
                problems.append(f"queue {queue['name']} is not empty: {rest}")
        if status["parked"]:
            problems.append(f"{status['parked']} parked")

    def judge(self, doubts_allowed=True, links=False):
        """links: files were given their names by hard links, where an interruption may be in doubt as well."""
        problems = []
        numbers = {name: [int(line["path"].rsplit("/", 1)[1]) for line in lines(f"{self.work}/{name}.jsonl")]
                   for name in TARGETS}
        files = [int(line["name"].split(".")[0]) for line in lines(f"{self.work}/files.jsonl")]
        self._once(problems, "keyed", numbers["keyed"])
        self._once(problems, "ordered", numbers["ordered"])
        self._in_order(problems, numbers["ordered"])
        self._once(problems, "plain", numbers["plain"], complete=False)
        dead = self.ask("dead", "list", "--site", self.site)
        bad = [group for group in dead["groups"] if group["flow"] != "spoiled"]
        if bad:
            problems.append(f"dead letters: {[(g['cause'], g['step'], g['flow'], g['count']) for g in bad]}")
        count = sum(group["count"] for group in dead["groups"] if group["flow"] == "spoiled")
        if count != self.spoiled:
            problems.append(f"{count} dead letters for {self.spoiled} documents that cannot be read")
        doubts = self.ask("doubt", "list", "--site", self.site)["doubts"]
        if any(doubt["endpoint"] not in ("to-plain", "to-files" if links else "") for doubt in doubts):
            problems.append("doubts where there is a means to know: "
                            f"{collections.Counter(doubt['endpoint'] for doubt in doubts)}")
        doubtful = {end: {int(key["value"]) for doubt in doubts for key in doubt["keys"] if doubt["endpoint"] == end}
                    for end in ("to-plain", "to-files")}
        self._once(problems, "files", files + sorted(doubtful["to-files"] - set(files)))
        doubtful = doubtful["to-plain"]
        if doubtful and not doubts_allowed:
            problems.append(f"plain: {len(doubtful)} in doubt though nothing was interrupted: "
                            f"{collections.Counter(doubt['reason'] for doubt in doubts)}")
        lost = set(self.things) - set(numbers["plain"]) - doubtful
        if lost:
            problems.append(f"plain: {len(lost)} neither delivered nor in doubt, such as {sorted(lost)[:5]}")
        self._held(problems)
        self._queues(problems)
        self._left(problems, links)
        if problems:
            raise Failure("\n".join(problems))
        self.summary = (f"{self.documents} documents and {self.poster.tries} posts, {len(self.things)} messages to 4"
                        f" ends each, {self.deaths()} processes killed, plain: {len(numbers['plain'])} delivered,"
                        f" {len(doubtful)} in doubt")

    def clean(self, keep):
        self.poster.ending = True
        self.poster.todo.clear()
        if self.supervisor and self.supervisor.poll() is None:
            pids = [pid for group in self.processes().values() for pid in group]
            kill(self.supervisor.pid)
            for pid in pids:
                kill(pid)
            self.supervisor.wait()
        for process in self.helpers:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.log.close()
        if self.mounted and not keep:
            subprocess.run(["umount", "-l", f"{self.site}/data"], check=False)
        if not keep:
            shutil.rmtree(self.root, ignore_errors=True)
            if self.other:
                shutil.rmtree(self.other, ignore_errors=True)


def read_proc(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


class Tap:
    """Results as TAP."""

    def __init__(self):
        self.number, self.failed = 0, 0

    def result(self, good, name, notes=""):
        self.number += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.number} - {name}", flush=True)
        for line in str(notes).splitlines():
            print(f"# {line}", flush=True)

    def skip(self, name, why):
        self.number += 1
        print(f"ok {self.number} - {name} # SKIP {why}", flush=True)

    def end(self):
        print(f"1..{self.number}", flush=True)
        return 1 if self.failed else 0
