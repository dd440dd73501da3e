"""A page of docs/runbooks/ as somebody follows it at night: its commands are read out of its text and typed, in a real site that is in that
trouble. A command of the page that no test has typed is a failure, so that a page cannot gain one that nobody tried.

What a page shows ("$ command" with lines below it) must be said in this order, except for numbers, times and the width of columns;
more may be said. Words in capitals (FLOW, HOST:443) are what the reader fills in."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
import blocks  # noqa: E402
from bed import BUILD, check  # noqa: E402

PAGES = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs", "runbooks")
PROGRAMS = ("ferrule", "rabbitmqctl", "rabbitmq-", "openssl", "gpg", "curl", "git", "df", "du", "ls")


def is_command(text):
    first, rest = (text.split(" ", 1) + [""])[:2]
    return bool(rest) and text != "ferrule run" and (first in PROGRAMS or first.startswith("rabbitmq-"))


class Command:
    def __init__(self, typed, wanted=None, code=0):
        self.typed, self.wanted, self.code, self.done = typed, wanted, code, False


def inline(line):
    return [Command(text) for text in re.findall(r"`([^`]+)`", line) if is_command(text)]


def commands(path):
    """All of a page, in order."""
    found, fenced = [], {}
    for block in blocks.read(path):
        for number in range(block.first, block.last + 1):
            fenced[number] = None
        if block.kind == "sh":
            fenced[block.first] = [Command(line) for line in block.lines if line.strip()]
        elif block.kind == "text" and any(line.startswith("$ ") for line in block.lines):
            fenced[block.first] = [Command(c.typed, c.wanted, c.code) for c in blocks.commands(block)]
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file.read().split("\n")):
            found += (fenced[number] or []) if number in fenced else inline(line)
    return found


def plain(lines):
    """What does not change from night to night; columns are as wide as what stands in them."""
    text = "\n".join(re.sub(r"\s+", " ", line).strip() for line in lines if line.strip())
    text = re.sub(r"\b[0-9A-F]{40}\b", "KEY", text)
    text = re.sub(r"\b\d+(\.\d+)?( ?(ms|s|min|m|h|days?))?\b", "0", text)
    text = text.replace("just now", "0 ago")
    return re.sub(r"\b0( 0)+\b", "0", text)


class Page:
    """`words`: what the reader puts in place of the page's words in capitals, and of addresses."""

    def __init__(self, site, name, words=None, env=None):
        self.site, self.words, self.env = site, dict(words or {}), {**os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", **(env or {})}
        self.commands = commands(os.path.join(PAGES, name + ".md"))
        check(self.commands, "the page has no commands")

    def find(self, start, again):
        for command in self.commands:
            if command.typed.startswith(start) and (again or not command.done):
                return command
        check(False, f"the page has no command `{start}`", "that was not typed yet" if not again else "")

    def filled(self, typed):
        for word, value in self.words.items():
            typed = re.sub(r"(?<![\w-])" + re.escape(word) + r"(?![\w-])", lambda _: value, typed)
        return typed

    def type(self, start, code=None, again=False, cwd=None):
        """The next command of the page that begins so; what it says. It must end with the code that the page shows, else with `code` (0)."""
        command = self.find(start, again)
        command.done = True
        typed = self.filled(command.typed)
        done = subprocess.run(["bash", "-c", typed], cwd=cwd or self.site.path, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=120, check=False)
        said = done.stdout.decode("utf-8", "replace")
        wanted = command.code if code is None else code
        check(done.returncode == wanted, f"`{typed}` ended with {done.returncode}, not {wanted}, and said:\n{said}")
        if command.wanted:
            shown, told = plain(command.wanted), plain(said.splitlines())
            rest = iter(told.split("\n"))
            check(all(line in rest for line in shown.split("\n")), f"`{typed}` is shown as\n{shown}\nand says\n{told}")
        return said

    def over(self, elsewhere=()):
        """Nothing of the page was left out, but for what begins so and is typed by another test."""
        left = [command.typed for command in self.commands if not command.done and not command.typed.startswith(tuple(elsewhere))]
        check(not left, "of the page nobody has typed:", left)
