"""What the tests of file steps share: the program by hand in a temporary directory, and TAP.

    @test("what it shows")
    def f(bed): …
    main()
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("FERRULE_BUILDDIR") or os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "dev")
FERRULE = os.path.join(BUILD, "ferrule")


class Failure(Exception):
    pass


class Skip(Exception):
    pass


def check(condition, *what):
    if not condition:
        raise Failure(" ".join(str(w) for w in what) or "not so")


def equal(got, wanted, what=""):
    if got != wanted:
        raise Failure(f"{what}: {got!r:.400}, not {wanted!r:.400}")


class Result:
    def __init__(self, done, directory):
        self.code, self.out = done.returncode, done.stdout
        self.told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith(b"{")]
        self.said = done.stderr.decode(errors="replace")
        self.directory = directory

    @property
    def names(self):
        return sorted(os.listdir(self.directory)) if self.directory else []

    def read(self, name):
        with open(os.path.join(self.directory, name), "rb") as file:
            return file.read()

    @property
    def codes(self):
        return [line["code"] for line in self.told]


class Bed:
    def __init__(self, directory):
        self.directory, self.made, self.cleanup = directory, 0, []

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def write(self, name, content):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    def run(self, *command, stdin=None, env=None, ok=True):
        done = subprocess.run(command, input=stdin, capture_output=True, cwd=self.directory, timeout=300,
                              env=dict(os.environ, **(env or {})))
        if ok and done.returncode:
            raise Failure(f"{' '.join(command)}: {done.returncode}\n{done.stderr.decode(errors='replace')}")
        return done

    def step(self, name, document, /, to=True, file="in.bin", env=None, **keys):
        """The step over bytes or a path; what came out is in files of a directory of its own."""
        path = document if isinstance(document, str) else self.write(file, document)
        directory = None
        command = [FERRULE, "step", name, path, "--json"]
        if to:
            self.made += 1
            directory = self.path(f"out{self.made}")
            os.mkdir(directory)
            command += ["--to", directory]
        for key, value in keys.items():
            command += ["--set", f"{key.removeprefix('set_').replace('_', '-')}={value}"]
        return Result(self.run(*command, ok=False, env=env), directory)

    def refused(self, code, name, document, /, **keys):
        done = self.step(name, document, **keys)
        if done.codes != [code] or done.code != 1:
            raise Failure(f"{name}: {done.codes} ({done.said.strip()[:300]}) exit {done.code}, not {code}")
        equal(done.names, [], f"{code} lets nothing through")
        return done


tests = []


def test(name):
    def keep(function):
        tests.append((name, function))
        return function
    return keep


def main():
    only, failed = sys.argv[1:], False
    chosen = [t for t in tests if not only or any(word in t[0] for word in only)]
    print(f"1..{len(chosen)}", flush=True)
    for number, (name, function) in enumerate(chosen, 1):
        bed = Bed(tempfile.mkdtemp(prefix="ferrule-files."))
        try:
            function(bed)
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except Exception as why:
            failed = True
            print(f"not ok {number} - {name}", flush=True)
            said = str(why) if isinstance(why, Failure) else traceback.format_exc()
            print("".join(f"# {line}\n" for line in said.splitlines()), end="", flush=True)
        finally:
            for end in reversed(bed.cleanup):
                end()
            shutil.rmtree(bed.directory, ignore_errors=True)
    sys.exit(1 if failed else 0)
