#!/usr/bin/env python3
"""ferrule map: errors with their place and the value at hand, and --watch, on a terminal and elsewhere."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import FERRULE, Failure, check, equal, main, test, wait  # noqa: E402


@test("a runtime error shows its place in the mapping, the line with a caret, and what . is there")
def runtime(site):
    site.write("m.jq", "# a comment\n{\n  n: .number,\n  total: (.qty | tonumber)\n}\n")
    code, out, err = site.type("map", "m.jq", input='{"number":1,"qty":"4"}\n{"number":2,"qty":[5,6]}\n')
    equal((code, out), (1, '{"n":1,"total":4}\n'), "the other goes on")
    check("array ([5,6]) cannot be parsed as a number\n  near m.jq:4:18\n" in err, err)
    check("      4 |   total: (.qty | tonumber)\n        |                  ^\n" in err, err)
    check("  there . is [5,6]\n" in err, err)


@test("a mapping that does not end is told within its limit of time, with its place, and not looked at for a minute")
def endless(site):
    site.write("m.jq", "def f: f;\n.a | f\n")
    before = os.times().children_user
    code, out, err = site.type("map", "m.jq", input='{"a": 1}')
    spent = os.times().children_user - before
    check(code == 1 and "limit of CPU time\n  near m.jq:" in err, code, err)
    check(spent < 15, f"{spent} s of processor time")


@test("with --json the place and the value are fields")
def machine(site):
    site.write("m.jq", "[.[] | .a.b]\n")
    code, out, err = site.type("map", "--json", "m.jq", input='[{"a": {"b": 1}}, {"a": "text"}]')
    told = json.loads(err)
    equal((code, told["line"], told["file"], told["value"]), (1, 1, "m.jq", {"a": "text"}), err)
    equal((told["code"], told["column"]), ("jq.error", 8), err)


@test("a syntax error shows line, column and the line with a caret")
def syntax(site):
    site.write("m.jq", "{\n  a: .a,\n  b: if .b then\n}\n")
    code, out, err = site.type("map", "m.jq", input="{}")
    equal(code, 1, err)
    found = re.search(r"^m\.jq:(\d+):(\d+): error: syntax error.*\n +(\d+) \| .*\n +\| +\^$", err, re.M)
    check(found and found.group(1) == found.group(3), err)


@test("--contract validates the results, --decode reads what is no JSON")
def more(site):
    site.write("s.json", '{"type": "object", "required": ["number"]}')
    site.write("m.jq", "{number}\n")
    equal(site.type("map", "--contract", "s.json", "m.jq", input='{"number": 1}')[:2], (0, '{"number":1}\n'), "valid")
    site.write("m.jq", "{nmber: .number}\n")
    code, out, err = site.type("map", "--contract", "s.json", "m.jq", input='{"number": 1}')
    check(code == 1 and out == "" and "misses `number`" in err, (code, out, err))
    site.write("lines.jsonl", '{"number": 1}\n{"number": 2}\n')
    code, out, err = site.type("map", "--decode", "json-lines", "m.jq", "lines.jsonl")
    equal((code, out), (0, '{"nmber":1}\n{"nmber":2}\n'), err)


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, site, *words):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([FERRULE, *words], cwd=site.path, stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True)
        site.spawned.append(self.process)
        self.slave = slave
        self.text = ""

    def until(self, *wanted):
        """Reads until the last screen has all of these."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            screen = self.text.rpartition("\033[2J")[2]
            if all(w in screen for w in wanted):
                return screen
            if select.select([self.master], [], [], 0.1)[0]:
                self.text += os.read(self.master, 65536).decode("utf-8", "replace").replace("\r\n", "\n")
        raise Failure(f"not on the screen: {wanted}\n{self.text[-1500:]}")

    def type(self, text):
        os.write(self.master, text.encode())


@test("--watch on a terminal draws again as the mapping and the input change, and q ends it")
def watch(site):
    site.write("m.jq", "{n: .n}\n")
    site.write("in.json", '{"n": 1, "m": 2}\n')
    terminal = Terminal(site, "map", "--watch", "m.jq", "in.json")
    terminal.until("q ends", '"n": 1\n')
    check(not termios.tcgetattr(terminal.slave)[3] & termios.ECHO, "what is typed is not shown")
    site.write("m.jq", "{m: .m}\n")
    check('"n"' not in terminal.until('"m": 2\n'), "the old result is gone")
    site.write("m.jq", "{m: .m |}\n")
    terminal.until("m.jq:1:9: error: syntax error", "1 | {m: .m |}\n", "        ^\n")
    site.write("m.jq", "{m: (.m | keys)}\n")
    terminal.until("near m.jq:1:11", "there . is 2\n")
    aside = site.write("m.new", "{both: [.n, .m]}\n")
    os.rename(aside, site.at("m.jq"))  # as editors do
    terminal.until('"both": [')
    site.write("in.json", '{"n": 7, "m": 8}\n')
    terminal.until("    7,\n    8\n")
    os.unlink(site.at("m.jq"))
    terminal.until("m.jq", "No such file")
    site.write("m.jq", ".n\n")
    terminal.until("q ends", "\n7\n")
    terminal.type("x")
    time.sleep(0.2)
    check(terminal.process.poll() is None, "another key ended it")
    terminal.type("q")
    equal(terminal.process.wait(10), 0, "its exit code")
    check(termios.tcgetattr(terminal.slave)[3] & termios.ECHO, "the terminal is as it was")


@test("Ctrl-C ends --watch and leaves the terminal as it was")
def interrupt(site):
    site.write("m.jq", ".n\n")
    site.write("in.json", '{"n": 1}\n')
    terminal = Terminal(site, "map", "--watch", "m.jq", "in.json")
    terminal.until("q ends")
    terminal.process.send_signal(signal.SIGINT)
    equal(terminal.process.wait(10), 0, "its exit code")
    check(termios.tcgetattr(terminal.slave)[3] & termios.ECHO, "the terminal is as it was")


@test("elsewhere --watch prints one result after the other, and validates each")
def piped(site):
    site.write("s.json", '{"type": "object"}')
    site.write("m.jq", "{n}\n")
    site.write("in.json", '{"n": 1}\n')
    log = os.path.join(site.work, "watched")
    with open(log, "wb") as out:
        process = subprocess.Popen([FERRULE, "map", "--watch", "--contract", "s.json", "m.jq", "in.json"], cwd=site.path,
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    site.spawned.append(process)

    def said():
        with open(log) as file:
            return file.read()

    wait(lambda: said().count("----\n") == 1, what="the first result")
    site.write("m.jq", ".n\n")
    wait(lambda: said().count("----\n") == 2, what="the second result")
    process.terminate()
    equal(process.wait(10), 0, "its exit code")
    first, second, rest = said().split("----\n")
    equal(first, '{\n  "n": 1\n}\n', "the first")
    check("must be an object" in second and "\033" not in said(), second)


@test("--watch needs a file")
def needs(site):
    site.write("m.jq", ".\n")
    check("needs FILE" in site.type("map", "--watch", "m.jq")[2], "usage")
    equal(site.type("map", "--watch", "m.jq")[0], 2, "exit code")


main()
