#!/usr/bin/env python3
"""TAB in real shells, on a terminal: bash, and zsh and fish where they are installed. Prints TAP."""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import BUILD, FERRULE, Skip, check, equal, main, test  # noqa: E402

SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], "bind 'set bell-style none' 'set show-all-if-ambiguous off'; source <(ferrule completion bash)"),
    "zsh": (["-f", "-i"], "autoload -U compinit; compinit -D -u; source <(ferrule completion zsh)"),
    "fish": (["--no-config", "-i"], "ferrule completion fish | source"),
}


class Terminal:
    def __init__(self, shell, directory):
        program = shutil.which(os.environ.get("FERRULE_" + shell.upper(), shell))
        if not program:
            raise Skip(f"{shell} is not installed")
        options, setup = SHELLS[shell]
        environment = {"PATH": f"{BUILD}:{os.environ['PATH']}", "HOME": directory, "TERM": "vt100", "LC_ALL": "C.UTF-8", "PS1": "", "SHELL": program}
        environment.update({name: os.environ[name] for name in ("FPATH", "LD_LIBRARY_PATH", "LSAN_OPTIONS") if name in os.environ})
        self.pid, self.terminal = pty.fork()
        if not self.pid:
            try:
                os.chdir(directory)
                os.execve(program, [program, *options], environment)
            finally:
                os._exit(127)
        self.type(setup + "; echo set-''up\r")
        self.until("set-up", 20)

    def type(self, keys):
        os.write(self.terminal, keys.encode())

    def until(self, text, seconds=10):
        said, end = "", time.monotonic() + seconds
        while text not in said:
            left = end - time.monotonic()
            check(left > 0 and select.select([self.terminal], [], [], left)[0], f"no {text!r} in {said[-500:]!r}")
            said += os.read(self.terminal, 65536).decode("utf-8", "replace")
        return said

    def complete(self, typed):
        """What TAB makes of it."""
        self.type(typed + "\t")
        time.sleep(0.7)  # the shell asks the program meanwhile; what is typed ahead would be taken for an answer
        self.type("\x05 \\>\x01printf '<%s>' \r")  # a > at the end of the line, printf at its beginning
        said = self.until("<>>", 10)
        check("<ferrule>" in said, repr(said))
        return re.findall(r"<([^<>]*)>", said[said.rindex("<ferrule>"):said.rindex("<>>")])[1:]

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def words(*typed, cwd):
    done = subprocess.run([FERRULE, "completion", "words", "--", *typed], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20)
    equal(done.returncode, 0, done.stdout)
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


def sample(site):
    path = os.path.join(site.root, "sample")
    equal(site.type("init", path)[0], 0, "init")
    return path


@test("every verb and every option of the tables is offered, with what it means")
def tables(site):
    overview = re.findall(r"^  ([a-z]+) ", site.type("help")[1], re.M)
    equal(set(words("", cwd=site.path)), set(overview) | {"help"}, "verbs")
    equal(set(words("help", "", cwd=site.path)), set(overview) | {"help"}, "help")
    for verb in overview:
        told = re.findall(r"^  --([a-z-]+)", site.type("help", verb)[1], re.M)
        equal(set(words(verb, "--", cwd=site.path)), {"--" + name for name in told} | {"--help"}, verb)


@test("a part of a verb is offered its own options, and not those of another")
def parts(site):
    own = set(words("dead", "discard", "--", cwd=site.path))
    check({"--reason", "--rate", "--site", "--help"} <= own and not own & {"--file", "--again", "--state"}, own)


@test("values are offered by what they are: names of the site, enumerations, files")
def values(site):
    here = sample(site)
    for typed, wanted in [
        (["send", ""], {"acme-orders", "orders-to-erp"}),
        (["send", "acme-orders", ""], {":files"}),
        (["hold", ""], {"orders-to-erp", "support"}),
        (["replay", "--first", "3", ""], {"acme-orders"}),
        (["validate", ""], {"order/v1"}),
        (["check", "--env", ""], {"dev", "prod"}),
        (["check", "--env", "=", ""], {"dev", "prod"}),
        (["check", "--env", "="], {"dev", "prod"}),
        (["check", ""], {":directories"}),
        (["run", "--role", "po"], {"poll", "deliver"}),
        (["dead", ""], {"list", "show", "replay"}),
        (["dead", "list", "--flow", ""], {"acme-orders"}),
        (["decode", ""], {"x12", "json"}),
        (["schema", ""], {"site", "flow"}),
        (["init", "x", "--template", ""], {"order-to-cash"}),
        (["contract", "show", ""], {"order/v1"}),
        (["contract", "diff", "--mode", ""], {"backward", "full-transitive"}),
        (["map", "--contract", ""], {"order/v1"}),
        (["map", "--decode", ""], {"x12", "json-lines"}),
        (["config", ""], {"show"}),
        (["completion", ""], {"bash", "zsh", "fish"}),
    ]:
        got = words(*typed, cwd=here)
        check(wanted <= set(got), f"{typed} gives {got}")
        equal(len(got), len(set(got)), f"{typed}: each once")
    equal(words("send", "--site", here, "", cwd="/")[0], "acme-orders", "another site")
    check({"dev", "prod"} <= set(words("check", here, "--env", "", cwd="/")), "a site that a word names")
    equal(words("send", "", cwd="/"), [], "no site")
    equal(words("no-such-verb", "", cwd="/"), [], "no verb")


def in_shell(site, shell):
    here = sample(site)
    terminal = Terminal(shell, here)
    try:
        equal(terminal.complete("ferrule trac"), ["trace"], "a verb")
        equal(terminal.complete("ferrule status --prob"), ["status", "--problems"], "an option")
        equal(terminal.complete("ferrule send acme-o"), ["send", "acme-orders"], "a flow")
        equal(terminal.complete("ferrule check --env pr"), ["check", "--env", "prod"], "an environment")
        equal(terminal.complete("ferrule map mappings/order-to-er"), ["map", "mappings/order-to-erp.jq"], "a file")
        directory = terminal.complete("ferrule status --site sys")  # zsh takes its `/` away again
        equal([word.rstrip("/") for word in directory], ["status", "--site", "systems"], "a directory")
    finally:
        terminal.close()


@test("TAB in bash")
def bash(site):
    in_shell(site, "bash")


@test("TAB in zsh")
def zsh(site):
    in_shell(site, "zsh")


@test("TAB in fish")
def fish(site):
    in_shell(site, "fish")


if __name__ == "__main__":
    main()
