#!/usr/bin/env python3
"""The examples in the guides are run, so that none of them can be wrong. Prints TAP, a point for each block.

    run.py [--update] [GUIDE.md …]        without a name: README.md, CONTRIBUTING.md, docs/**.md and the READMEs of the samples

CONTRIBUTING.md, "Examples in the documentation", tells the conventions; in short:
    ```console                 `$ command`, `> ` goes on, then what it says; `...` is anything; `[1]` last is the exit code
    ```yaml                    a flow, a system, site.yaml, or a part of one: `ferrule check` must have nothing to say
    ```yaml flows/a.yaml       the same, and it is written into the guide's site
    ```jq                      a mapping: run over the `json input` before it; must give the `json output` behind it
    <!-- site: TEMPLATE -->    from here on: a new site, made by `ferrule init`, as the current directory
    <!-- docs: skip: WHY -->   the next block is not run

--update writes what was really said into the guide, where that differs. FERRULE_BUILDDIR names the build."""
import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import blocks  # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("FERRULE_BUILDDIR") or os.path.join(SOURCE, "build", "dev"))
FERRULE = os.path.join(BUILD, "ferrule")
SECONDS = 90  # that one command may take


class Failure(Exception):
    pass


def type_once(*words, cwd=None, input=None):
    done = subprocess.run([FERRULE, *words], cwd=cwd, input=input, stdin=None if input is not None else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS)
    return done.returncode, done.stdout


class Shell:
    """A bash that keeps its directory and variables between two blocks, as a reader's does."""
    MARK = "\x01ferrule-docs\x01"

    def __init__(self, directory, home):
        environment = {"PATH": f"{home}/bin:{os.environ['PATH']}", "HOME": home, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "dumb",
                       "TMPDIR": os.environ.get("TMPDIR", "/tmp"), "FERRULE_BUILDDIR": BUILD}
        for name in ("LSAN_OPTIONS", "ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        self.process = subprocess.Popen(["bash", "--norc", "--noprofile"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, cwd=directory, env=environment, start_new_session=True)

    def type(self, command):
        """(exit code, lines)."""
        quoted = "'" + command.replace("'", "'\\''") + "\n'"
        self.process.stdin.write(f"eval {quoted} </dev/null\nprintf '%s%d:%s\\n' '{self.MARK}' $? \"$PWD\"\n".encode())
        self.process.stdin.flush()
        said, timer = b"", threading.Timer(SECONDS, self.kill)
        timer.start()
        try:
            while True:
                line = self.process.stdout.readline()
                if not line:
                    raise Failure(f"`{command}` did not end within {SECONDS} s, or ended the shell; it said:\n{said.decode(errors='replace')}")
                mark = line.find(self.MARK.encode())
                if mark >= 0:
                    code, self.directory = line[mark + len(self.MARK):].decode().rstrip("\n").split(":", 1)
                    return int(code), (said + line[:mark]).decode("utf-8", "replace").splitlines()
                said += line
        finally:
            timer.cancel()

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def close(self):
        """The shell ends; what it left running does not yet: that is told first."""
        try:
            self.process.stdin.close()
            self.process.wait(timeout=20)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self.kill()
            self.process.wait()
        self.process.stdout.close()


class Guide:
    def __init__(self, path, update):
        self.path, self.update = path, update
        self.name = os.path.relpath(path, SOURCE)
        self.work = tempfile.mkdtemp(prefix="ferrule-docs-")
        # A name with a space, deeper than the name of a socket may be long: people's directories are such.
        self.home = os.path.join(self.work, "a directory", "d" * 90)
        self.directory = os.path.join(self.home, "start")
        os.makedirs(self.directory)
        os.makedirs(os.path.join(self.home, "bin"))
        os.symlink(FERRULE, os.path.join(self.home, "bin", "ferrule"))
        self.site = None
        self.sites = 0
        self.input = self.program = None
        self.edits = []  # (first, last, lines) to be put into the file
        self.results = []
        self.shell = None

    # ---- each kind of block
    def new_site(self, block):
        self.sites += 1
        self.site = os.path.join(self.home, f"site-{self.sites}")
        code, said = type_once("init", self.site, "--template", block.rest)
        if code:
            raise Failure(said)
        self.directory = self.site
        if self.shell:
            self.shell.type(f"cd '{self.site}'")

    def console(self, block):
        if not self.shell:
            self.shell = Shell(self.directory, self.home)
        said_all, wrong = [], []
        for command in blocks.commands(block):
            code, said = self.shell.type(command.typed)
            typed = command.typed.split("\n")
            said_all += ["$ " + typed[0]] + ["> " + line for line in typed[1:]]
            if code == command.code and blocks.fits(command.wanted, said):
                said_all += command.wanted + ([f"[{code}]"] if code else [])
                continue
            said_all += said + ([f"[{code}]"] if code else [])
            wrong += [f"{self.name}:{command.line}: $ {command.typed}"] + [f"  wanted: {line}" for line in command.wanted]
            wrong += [f"  said:   {line}" for line in said] + [f"  exit code {code}, not {command.code}"] * (code != command.code)
        self.directory = getattr(self.shell, "directory", self.directory)
        if wrong:
            self.edits.append((block.first, block.last, [" " * block.indent + line for line in said_all]))
            raise Failure("\n".join(wrong))

    def write(self, path, text):
        base = self.site or self.directory
        path = os.path.normpath(os.path.join(base, path))
        if not path.startswith(self.home + os.sep):
            raise Failure(f"{path} is outside of the site")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def yaml(self, block):
        text, path = block.text(), block.rest
        named = re.match(r"# *((?:flows|systems|snippets|tests|environments|partners)/\S+\.ya?ml|site\.yaml) *\n", text)
        if path:
            self.write(path, text)
        if path.startswith("tests/"):
            return  # `ferrule test` reads it
        documents = re.split(r"^---.*\n", text, flags=re.M)
        documents = [d for d in documents if d.strip()]
        kinds = [blocks.what_is(d) for d in documents]
        if (path or (named and named.group(1))) and set(kinds) == {"other"}:
            return
        if set(kinds) == {"other"}:
            return
        with tempfile.TemporaryDirectory(dir=self.work) as directory:
            self.check(directory, documents, kinds)

    def check(self, directory, documents, kinds):
        """A site with what the guide's has (but its flows), these documents, and the other ends of their topics."""
        base = self.site or self.directory
        site = "name: example\n"
        for folder in ("systems", "mappings", "canonical", "snippets", "environments", "tables", "runbooks", "calendars", "transfers"):
            if os.path.isdir(os.path.join(base, folder)):
                shutil.copytree(os.path.join(base, folder), os.path.join(directory, folder))
        if os.path.exists(os.path.join(base, "site.yaml")):
            with open(os.path.join(base, "site.yaml"), encoding="utf-8") as file:
                site = file.read()
        os.makedirs(os.path.join(directory, "flows"))
        os.makedirs(os.path.join(directory, "mappings"), exist_ok=True)
        os.makedirs(os.path.join(directory, "systems"), exist_ok=True)
        into, out, names = set(), set(), []
        for number, (text, kind) in enumerate(zip(documents, kinds)):
            if kind == "flow":
                text = blocks.whole_flow(text)
                into |= blocks.topics(text)[0]
                out |= blocks.topics(text)[1]
            if kind == "site":
                site = text if "name" in blocks.keys_of(text) else "name: example\n" + text
            elif kind in ("flow", "system", "snippet", "transfer", "calendar"):
                self.make_room(directory, kind, text)
                name = re.search(r"^snippet: *([\w.-]+)", text, re.M).group(1) if kind == "snippet" else f"example-{number}"
                names.append(f"{kind}s/{name}.yaml")
                os.makedirs(os.path.join(directory, kind + "s"), exist_ok=True)
                with open(os.path.join(directory, names[-1]), "w", encoding="utf-8") as file:
                    file.write(text)
            for mapping in re.findall(r"[\w./-]+\.jq\b", text):
                ships = os.path.exists(os.path.join(SOURCE, "config", "mappings", mapping))
                if not ships and not os.path.exists(os.path.join(directory, "mappings", mapping)):
                    with open(os.path.join(directory, "mappings", mapping), "w", encoding="utf-8") as file:
                        file.write(".\n")
            for secret in re.findall(r"\bsecret: *([\w.-]+)", text + site):
                os.makedirs(os.path.join(directory, "secrets"), mode=0o700, exist_ok=True)
                with open(os.path.join(directory, "secrets", secret), "w", encoding="utf-8") as file:
                    file.write("whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\n")
                os.chmod(os.path.join(directory, "secrets", secret), 0o600)
        if not re.search(r"^listen:", site, re.M):
            site += "listen: {http: {port: 0}}\n"
        with open(os.path.join(directory, "site.yaml"), "w", encoding="utf-8") as file:
            file.write(site)
        with open(os.path.join(directory, "flows", "other-ends.yaml"), "w", encoding="utf-8") as file:
            for n, topic in enumerate(sorted(into - out)):
                file.write(f"---\nflow: other-end-{n}\nowner: docs\nfrom: {{file: 'other-end-{n}/*'}}\norder: {{by: '\"all\"'}}\npublish: {topic}\n")
            for n, topic in enumerate(sorted(out - into)):
                file.write(f"---\nflow: sub-end-{n}\nowner: docs\nsubscribe: {topic}\nto: {{file: 'sub-end-{n}/$($envelope.id)'}}\neffect: rename\n")
        code, said = type_once("check", directory)
        # a mapping or a secret of the guide's site that this part does not use is no mistake of the part's
        said = [line for line in said.splitlines() if any(line.startswith(name) for name in names + ["site.yaml"]) and
                "no flow uses this snippet" not in line and
                not re.search(r"the runbook \S+ is not there|no flow uses the system|no transfer uses the calendar|no flow subscribes to transfer", line)]
        if said or code:
            raise Failure("\n".join(said) or f"check ended with {code}: {type_once('check', directory)[1]}")

    @staticmethod
    def make_room(directory, kind, text):
        """What the guide's site has under the same name gives way."""
        name = re.search(rf"^{kind}: *([\w.-]+)", text, re.M)
        for path in glob.glob(os.path.join(directory, kind + "s", "*.yaml")):
            with open(path, encoding="utf-8") as file:
                if name and re.search(rf"^{kind}: *{re.escape(name.group(1))} *$", file.read(), re.M):
                    os.unlink(path)

    def jq(self, block, following):
        if block.rest:
            self.write(block.rest, block.text())
        program = os.path.join(self.work, "example.jq")
        with open(program, "w", encoding="utf-8") as file:
            file.write(block.text())
        code, said = type_once("map", program, input=self.input if self.input is not None else "null\n")
        after = following if following and following.rest in ("output", "error") else None
        if self.input is None and not after:
            if "jq.compile" in said or "syntax error" in said or "is not defined" in said:
                raise Failure(said)
            return
        if after and after.rest == "error":
            if not code or not all(line.strip() in said for line in after.lines):
                raise Failure(f"it should have failed with {after.text()}it said: {said}")
            return
        if code:
            raise Failure(said)
        got = values(said)
        if after and got != values(after.text()):
            text = json.dumps(got[0] if len(got) == 1 else got, indent=2, ensure_ascii=False).split("\n")
            self.edits.append((after.first, after.last, [" " * after.indent + line for line in text]))
            raise Failure(f"it gives {json.dumps(got, ensure_ascii=False)}")

    def json(self, block):
        word, _, contract = block.rest.partition(" ")
        if word in ("valid", "invalid"):
            code, said = type_once("validate", contract, cwd=self.site or self.directory, input=block.text())
            if (code == 0) != (word == "valid"):
                raise Failure(f"{contract} finds it {'valid' if code == 0 else 'not valid'}: {said}")
        elif word == "input":
            values(block.text())
            self.input = block.text()
        elif word not in ("output",) and word:
            self.write(block.rest, block.text())
        elif not re.search(r"…|\.\.\.", block.text()):
            values(block.text())

    # ---- all of them
    def run_one(self, block, following):
        if block.skip:
            return f"{self.line(block)} # SKIP {block.skip}"
        kinds = {"site": self.new_site, "console": self.console, "yaml": self.yaml, "json": self.json}
        if block.kind == "jq":
            self.jq(block, following)
        elif block.kind in kinds:
            kinds[block.kind](block)
        elif block.rest and re.fullmatch(r"[\w.-]+/[\w./-]+", block.rest):
            self.write(block.rest, block.text())  # any other file of the site: a table, a document
        else:
            return None
        return self.line(block)

    def line(self, block):
        return f"{self.name}:{block.line} {block.kind} {block.rest}".rstrip()

    def run(self):
        try:
            found = blocks.read(self.path)
            for n, block in enumerate(found):
                try:
                    told = self.run_one(block, found[n + 1] if n + 1 < len(found) else None)
                    if told:
                        self.results.append((True, told, ""))
                except (Failure, ValueError, blocks.BadGuide, OSError, subprocess.TimeoutExpired) as failure:
                    self.results.append((False, self.line(block), str(failure)))
        except blocks.BadGuide as failure:
            self.results.append((False, self.name, str(failure)))
        finally:
            if self.shell:
                self.shell.close()
            left = left_running(self.work)
            if self.shell:
                self.shell.kill()
            if left:
                self.results.append((False, f"{self.name} leaves nothing running", "\n".join(left)))
            shutil.rmtree(self.work, ignore_errors=True)
        if self.update and self.edits:
            self.rewrite()
        return self

    def rewrite(self):
        with open(self.path, encoding="utf-8") as file:
            lines = file.read().split("\n")
        for first, last, new in sorted(self.edits, reverse=True):
            lines[first:last] = new
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))


def values(text):
    """Every JSON value of a text, one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def left_running(directory):
    """Processes of ours that work below a directory: told, and ended."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cwd"):
        try:
            if not os.readlink(path).startswith(directory):
                continue
            with open(os.path.dirname(path) + "/cmdline", "rb") as file:
                found.append(file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip())
            os.kill(int(path.split("/")[2]), signal.SIGKILL)
        except OSError:
            pass
    return found


def all_guides():
    return [os.path.join(SOURCE, name) for name in ("README.md", "CONTRIBUTING.md")] + \
        sorted(glob.glob(os.path.join(SOURCE, "docs", "**", "*.md"), recursive=True)) + \
        sorted(glob.glob(os.path.join(SOURCE, "config", "sample", "*", "README.md")))


def main():
    words = sys.argv[1:]
    update = "--update" in words
    guides = [os.path.abspath(word) for word in words if word != "--update"] or all_guides()
    number, failed = 0, 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for guide in pool.map(lambda path: Guide(path, update).run(), guides):
            for good, told, why in guide.results:
                number += 1
                failed += not good
                print(f"{'ok' if good else 'not ok'} {number} {told}")
                for line in why.splitlines():
                    print(f"#   {line}")
            sys.stdout.flush()
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
