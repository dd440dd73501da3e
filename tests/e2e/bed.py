"""What the end-to-end tests share: a site in a temporary directory, the program that runs it, the other side, and TAP.

    @test("what it shows")
    def f(site): …
    main()

Each test gets a Site of its own, which ends everything that it started. A test fails by an exception; what the site said last
is then shown. FERRULE_BUILDDIR names the build; FERRULE_E2E_KEEP=1 leaves the directory of a failed test.
"""
import base64
import collections
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("FERRULE_BUILDDIR") or os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "dev")
FERRULE = os.path.join(BUILD, "ferrule")
COUNTERPART = os.path.join(BUILD, "tests", "lab", "counterpart")
LAB = os.path.join(os.path.dirname(HERE), "lab")

SITE_YAML = "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 2}\n"


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def check(condition, *what):
    """An assertion that says what it saw."""
    if not condition:
        raise Failure(" ".join(str(w) for w in what) or "not so")


def equal(got, wanted, what=""):
    if got != wanted:
        raise Failure(f"{what}: {got!r}, not {wanted!r}")


def wait(condition, seconds=10, what="it"):
    """Until the condition is true; its value. Says how long it waited otherwise."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s for {what}")
        time.sleep(0.03)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def lines(path):
    """The whole lines of a log of JSON lines."""
    try:
        with open(path, "rb") as file:
            return [json.loads(line) for line in file if line.endswith(b"\n")]
    except FileNotFoundError:
        return []


def has_faults():
    """Are the hooks that exist only for tests compiled in?"""
    with open(os.path.join(BUILD, "config.h")) as file:
        return "#define FERRULE_FAULTS 1" in file.read()


def is_sanitized():
    with open(os.path.join(BUILD, "config.h")) as file:
        return "#define FERRULE_SANITIZED 1" in file.read()


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Target:
    """counterpart serve: a target over HTTP that keeps a log of every effect."""

    def __init__(self, site, name, *options, port=0):
        self.site, self.name, self.options = site, name, options
        self.log = os.path.join(site.work, name + ".jsonl")
        self.port_file = os.path.join(site.work, name + ".port")
        self.start(port)

    def start(self, port):
        if os.path.exists(self.port_file):
            os.unlink(self.port_file)
        self.process = self.site.spawn([COUNTERPART, "serve", "--log", self.log, "--port-file", self.port_file,
                                        "--port", str(port), *self.options])
        wait(lambda: os.path.exists(self.port_file) and os.path.getsize(self.port_file), 10, "the target's port")
        with open(self.port_file) as file:
            self.port = int(file.read())
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)

    def effects(self):
        return lines(self.log)

    def paths(self):
        return [effect["path"] for effect in self.effects()]


class HungTarget:
    """Accepts connections and never answers; keeps what it was sent."""

    def __init__(self, site):
        self.port_file = os.path.join(site.work, f"hung-{len(site.spawned)}.port")
        code = ("import socket,sys,threading,time\n"
                "s=socket.socket();s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1);s.bind(('127.0.0.1',0));s.listen(200)\n"
                "open(sys.argv[1]+'.new','w').write(str(s.getsockname()[1]))\n"
                "import os;os.rename(sys.argv[1]+'.new',sys.argv[1])\n"
                "kept=[]\n"
                "while True: kept.append(s.accept()[0])\n")
        self.process = site.spawn([sys.executable, "-c", code, self.port_file])
        wait(lambda: os.path.exists(self.port_file), 10, "the hung target")
        with open(self.port_file) as file:
            self.port = int(file.read())
        self.url = f"http://127.0.0.1:{self.port}"


class Site:
    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="ferrule-e2e-")
        self.path = os.path.join(self.root, "site")
        self.work = os.path.join(self.root, "work")
        os.makedirs(self.work)
        os.makedirs(self.path)
        self.supervisor = None
        self.spawned = []
        self.log_path = os.path.join(self.work, "ferrule.log")
        self.log = open(self.log_path, "ab")
        self.write("site.yaml", SITE_YAML)

    # ---- files
    def at(self, *parts):
        return os.path.join(self.path, *parts)

    def write(self, name, text, mode=0o644):
        path = self.at(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return path

    def secret(self, name, text):
        os.makedirs(self.at("secrets"), mode=0o700, exist_ok=True)
        os.chmod(self.at("secrets"), 0o700)
        self.write(f"secrets/{name}", text, 0o600)

    def flow(self, text):
        """A flow's YAML; the file is named after it."""
        name = re.search(r"^flow: *(\S+)", text, re.M).group(1)
        self.write(f"flows/{name}.yaml", text.lstrip("\n"))

    def system(self, name, url, operations="  put: {method: POST, path: '/$(.n)'}", more=""):
        self.write(f"systems/{name}.yaml", f"system: {name}\nowner: {name}-team\nrunbook: runbooks/{name}.md\nurl: {url}\n{more}operations:\n{operations}\n")

    def drop(self, name, content):
        """Puts a file into a drop folder in one piece."""
        path = self.at(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not isinstance(content, (bytes, str)):
            content = json.dumps(content)
        aside = os.path.join(self.work, "aside")
        with open(aside, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.rename(aside, path)

    # ---- processes
    def spawn(self, command, **options):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, **options)
        self.spawned.append(process)
        return process

    def make_folders(self):
        """Those that sources look into: one that is missing is a problem of the site."""
        for folder in ("flows", "transfers"):
            for name in os.listdir(self.at(folder)) if os.path.isdir(self.at(folder)) else []:
                for path in re.findall(r"file: '([^'$*?\[]+)/[^/'$]*'", read(self.at(folder, name)).decode()):
                    os.makedirs(self.at(path), exist_ok=True)

    def start(self, *options, env=None, ready=True, folders=True):
        """ferrule run, until it says that it is ready."""
        if folders:
            self.make_folders()
        offset = os.path.getsize(self.log_path)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("FERRULE_FAULT")}
        environment.update(env or {})
        self.supervisor = self.spawn([FERRULE, "run", self.path, "--log", "info", *options], env=environment)
        if ready:
            wait(lambda: self.said("ready site=", offset) or self.supervisor.poll() is not None, 20, "the site to be ready")
            check(self.supervisor.poll() is None, "ferrule run ended with", self.supervisor.returncode)

    def run_until_idle(self, seconds=60, *options):
        done = subprocess.run([FERRULE, "run", self.path, "--until-idle", "--for", f"{seconds}s", "--log", "info", *options],
                              stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, timeout=seconds + 20)
        equal(done.returncode, 0, "ferrule run --until-idle ended with")

    def stop(self, number=signal.SIGTERM, within=10):
        """Tells the site to end; how long that took."""
        began = time.monotonic()
        self.supervisor.send_signal(number)
        self.supervisor.wait(timeout=within + 10)
        took = time.monotonic() - began
        check(took <= within, f"it took {took:.1f} s to end")
        return took

    def kill_all(self):
        """SIGKILL to every process of the site at once."""
        pids = [pid for group in self.processes().values() for pid in group]
        os.kill(self.supervisor.pid, signal.SIGKILL)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.supervisor.wait(timeout=10)

    def reload(self):
        offset = os.path.getsize(self.log_path)
        self.supervisor.send_signal(signal.SIGHUP)
        return wait(lambda: self.said("reload", offset), 10, "the reload's word")

    def processes(self):
        """The supervisor's children: {name: [pid]}."""
        found = collections.defaultdict(list)
        with open(f"/proc/{self.supervisor.pid}/task/{self.supervisor.pid}/children") as file:
            for pid in file.read().split():
                try:
                    with open(f"/proc/{pid}/comm") as comm:
                        found[comm.read().strip()].append(int(pid))
                except OSError:
                    pass
        return found

    def peak_memory(self, name):
        """The most resident memory, in MiB, of the processes of that name now running."""
        most = 0
        for pid in self.processes()[name]:
            with open(f"/proc/{pid}/status") as file:
                most = max(most, int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) // 1024)
        return most

    def said(self, text, offset=0):
        """The line of the log that has this text, or None."""
        with open(self.log_path, "rb") as file:
            file.seek(offset)
            for line in file.read().decode("utf-8", "replace").splitlines():
                if text in line:
                    return line
        return None

    # ---- verbs
    def type(self, *words, input=None, cwd=None, timeout=60):
        """A verb as a person types it: (exit code, output, errors)."""
        done = subprocess.run([FERRULE, *words], input=input if input is None or isinstance(input, bytes) else input.encode(),
                              stdin=subprocess.DEVNULL if input is None else None, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              cwd=cwd or self.path, timeout=timeout)
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")

    def do(self, *words, **options):
        """The same, which must succeed; what it printed."""
        code, out, err = self.type(*words, **options)
        check(code == 0, f"ferrule {' '.join(words)} ended with {code}: {out[-300:]} {err[-300:]}")
        return out

    def ask(self, *words):
        return json.loads(self.do(*words, "--site", self.path, "--json"))

    def dead(self):
        return self.ask("dead", "list")["letters"]

    def letter(self, number):
        return self.ask("dead", "show", str(number))

    def doubts(self):
        return self.ask("doubt", "list")["doubts"]

    def status(self):
        return self.ask("status")

    def idle(self, seconds=30):
        self.do("status", "--until-idle", f"{seconds}s", "--site", self.path, timeout=seconds + 10)

    def wait_files(self, folder, count, seconds=15):
        wait(lambda: len(self.files(folder)) >= count, seconds, f"{count} files in {folder}, there are {len(self.files(folder))}")
        return self.files(folder)

    def files(self, folder):
        """Names in a folder, temporary ones and folders left out."""
        try:
            return sorted(e.name for e in os.scandir(self.at(folder)) if e.is_file() and not e.name.startswith("."))
        except FileNotFoundError:
            return []

    def hidden(self, folder):
        return sorted(e.name for e in os.scandir(self.at(folder)) if e.name.startswith("."))

    # ---- the end
    def close(self, keep=False):
        pids = []
        if self.supervisor and self.supervisor.poll() is None:
            pids = [pid for group in self.processes().values() for pid in group]
        for process in self.spawned:
            if process.poll() is None:
                process.kill()
            process.wait()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.log.close()
        if not keep:
            shutil.rmtree(self.root, ignore_errors=True)

    def tail(self, count=25):
        with open(self.log_path, "rb") as file:
            return file.read().decode("utf-8", "replace").splitlines()[-count:]


# ---- HTTP, as a sender does it ------------------------------------------------------------------------------------
def request(port, method, path, body=b"", headers=None, timeout=20):
    """(status, headers, body)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body or None, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def signed(secret, event, body, at=None):
    """The headers of a Standard Webhooks request; secret without its prefix, in base64."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(base64.b64decode(secret), f"{event}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-id": event, "webhook-timestamp": stamp, "webhook-signature": "v1," + base64.b64encode(digest).decode(),
            "content-type": "application/json"}


# ---- TAP ------------------------------------------------------------------------------------------------------------
tests = []


def test(sentence):
    def register(function):
        tests.append((sentence, function))
        return function
    return register


def run_one(number, sentence, function):
    site = Site()
    good = False
    began = time.monotonic()
    try:
        function(site)
        for text in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:"):
            said = site.said(text)
            check(not said or "stack-overflow" in said, said)  # an overflow is what one of the tests asks for
        good = True
        print(f"ok {number} {sentence}")
        print(f"# {time.monotonic() - began:.1f} s")
    except Skip as skip:
        good = True
        print(f"ok {number} {sentence} # SKIP {skip}")
    except Exception as failure:  # whatever it is, it is told and the next test runs
        print(f"not ok {number} {sentence}")
        text = str(failure) if isinstance(failure, Failure) else ""
        for line in (text or traceback.format_exc()).splitlines() + traceback.format_exc().splitlines()[-6:]:
            print(f"# {line}")
        for line in site.tail():
            print(f"#   {line[:400]}")
        if os.environ.get("FERRULE_E2E_KEEP"):
            print(f"# left in {site.root}")
    finally:
        site.close(keep=not good and bool(os.environ.get("FERRULE_E2E_KEEP")))
    sys.stdout.flush()
    return good


def main():
    chosen = [t for t in tests if not sys.argv[1:] or any(word in t[1].__name__ for word in sys.argv[1:])]
    print(f"1..{len(chosen)}", flush=True)
    results = [run_one(n, *t) for n, t in enumerate(chosen, 1)]
    sys.exit(0 if all(results) else 1)
