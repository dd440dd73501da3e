#!/usr/bin/env python3
"""The verbs as people type them, against a site that runs and one that does not."""
import json
import os
import re
import signal
import subprocess
import time

from bed import FERRULE, Target, check, equal, free_port, main, test, wait

INTAKE = """
flow: intake
owner: order-desk
from: {file: 'in/*.json', after: archive, age: 0s, interval: 100ms}
steps:
  - decode: json
  - split: {by: '.[]', id: [.n]}
  - map: thing.jq
  - validate: {contract: thing/v1, keys: [.number]}
publish: thing.v1
"""

SCHEMA = json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["number"],
                     "properties": {"number": {"type": "string"}}})

TO_ERP = """
flow: to-erp
owner: finance-systems
runbook: runbooks/erp.md
subscribe: thing.v1
steps: [{encode: json}]
to: {operation: erp.put}
effect: {key: 'thing-$(.number)', remembers: 24h}
retry: {for: 1h, from: 100ms, to: 300ms}
"""

TO_FILES = """
flow: to-files
owner: archive
subscribe: thing.v1
steps: [{encode: json}]
to: {file: 'out/$(.number).json', exists: refuse, create: yes}
effect: rename
"""


def site_of(site, erp=None):
    site.flow(INTAKE)
    site.flow(TO_FILES)
    site.write("mappings/thing.jq", '{number: "T-\\(.n)"}\n')
    site.write("canonical/thing/v1.schema.json", SCHEMA)
    if erp:
        site.system("erp", erp, operations="  put: {method: POST, path: '/$(.number)'}")
        site.flow(TO_ERP)


def things(site, *numbers, name=None):
    site.drop(f"in/{name or numbers[0]}.json", [{"n": n} for n in numbers])


@test("mistakes at the command line get the usage and a suggestion, and their exit codes")
def mistakes(site):
    site_of(site)
    for words, code, expected in [
        (["stauts"], 2, "did you mean `status`"),
        (["status", "--problem"], 2, "did you mean `--problems`"),
        (["dead", "list", "--csuse", "x"], 2, "did you mean `--cause`"),
        (["hold", "to-files"], 2, "--until"),
        (["hold"], 2, "ferrule hold"),
        (["hold", "nobody", "--until", "5m"], 2, "nobody"),
        (["hold", "to-files", "--until", "yesterday"], 2, "looks like"),
        (["dead", "discard", "1"], 2, "--reason"),
        (["dead", "replay"], 2, "--cause"),
        (["dead", "replay", "--cause", "x", "--rate", "fast"], 2, "10/s"),
        (["send", "nobody", "/dev/null"], 2, "nobody"),
        (["status", "/nowhere/at/all"], 3, "/nowhere/at/all"),
        (["dead", "list", "--site", "/nowhere/at/all"], 3, "/nowhere"),
        (["check", "/nowhere/at/all"], None, "/nowhere"),
        ([], 2, "status"),
    ]:
        got, out, err = site.type(*words)
        check(got == code or code is None and got, "ferrule", " ".join(words), "ended with", got, "not", code, out, err)
        check(expected in out + err, "ferrule", " ".join(words), "says", out + err, "and not", expected)
    equal(site.type("help")[0], 0, "help")
    equal(site.type("status", "--help")[0], 0, "--help")
    check("ferrule" in site.do("version"), "version")


@test("status tells what is stored of a site that does not run, and what goes on in one that does")
def status(site):
    target = Target(site, "erp")
    site_of(site, target.url)
    answer = site.ask("status", site.path)
    equal((answer["running"], answer["dead"]), (False, 0), "before the first run")
    check("not running" in site.do("status"), "the words")
    site.do("send", "intake", site.write("one.json", '[{"n": 1}]'))
    queues = {queue["name"]: queue for queue in site.ask("status", site.path)["queues"]}
    equal(queues["in.intake"]["ready"], 1, "waits in in.intake")
    site.start()
    wait(lambda: target.paths() == ["/T-1"], 10, "it to be delivered")
    site.idle()
    answer = site.ask("status", site.path)
    equal(answer["running"], True, "running")
    equal(answer["revision"], site.ask("status", site.path)["revision"], "revision")
    check({"transform", "record", "deliver"} <= {worker["role"].split(":")[0].split(".")[0] for worker in answer["workers"]},
          [worker["role"] for worker in answer["workers"]])
    check("No problems." in site.do("status", "--problems"), "no problems")
    out = site.do("status", "--totals")
    check(re.search(r"1  delivered +to-erp", out) and re.search(r"1  delivered +to-files", out), out)


@test("--problems names a paused endpoint: since when, which keys wait, its owner, the runbook and the next command")
def problems(site):
    port = free_port()
    site_of(site, f"http://127.0.0.1:{port}")
    site.start()
    things(site, 1, 2, 3)
    site.wait_files("out", 3)
    found = wait(lambda: [p for p in site.ask("status", site.path)["problems"] if "to-erp" in p["what"]], 10, "the problem")[0]
    check(abs(found["since"] / 1000 - time.time()) < 15, "since", found["since"])
    wait(lambda: len([p for p in site.ask("status", site.path)["problems"] if "to-erp" in p["what"]][0]["keys"]) == 3, 10, "three keys that wait")
    equal((found["owner"], found["runbook"]), ("finance-systems", "runbooks/erp.md"), "whom to ask")
    check("ferrule hold to-erp" in found["next"], found["next"])
    code, out, _ = site.type("status", "--problems")
    equal(code, 1, "exit code")
    for word in ("to-erp", "since", "T-1", "finance-systems", "runbooks/erp.md", "next"):
        check(word in out, word, "is not in", out)
    target = Target(site, "erp", port=port)
    wait(lambda: len(target.paths()) == 3, 10, "it to be delivered by itself")
    wait(lambda: site.type("status", "--problems")[0] == 0, 10, "no problems any more")


@test("hold and resume: a flow, an endpoint, a system; what arrives waits, the others go on")
def holds(site):
    target = Target(site, "erp")
    site_of(site, target.url)
    site.start()
    for n, name in enumerate(("to-erp", "erp", "to-files"), 1):
        site.do("hold", name, "--until", "10m", "--reason", "month end")
        things(site, n)
        if name == "to-files":
            wait(lambda: len(target.paths()) == n, 10, "the other to be delivered")
            time.sleep(0.3)
            check(f"T-{n}.json" not in site.files("out"), "files were delivered while held")
        else:
            site.wait_files("out", n)
            time.sleep(0.3)
            equal(len(target.paths()), n - 1, f"delivered while {name} is held")
        check(any(queue["held"] for queue in site.status()["queues"]), "status shows the hold")
        check("month end" in json.dumps(site.status()["holds"]), site.status()["holds"])
        site.do("resume", name)
        wait(lambda: len(target.paths()) == n, 10, f"deliveries after {name} goes on")
        site.wait_files("out", n)
    site.do("hold", "intake", "--until", "1s")
    things(site, 9)
    site.wait_files("out", 4, 10)  # a hold ends by itself


@test("dead letters: list, show, dry run, discard, edit, replay after the mapping was mended, slowly and one first")
def dead_letters(site):
    site_of(site)
    site.write("mappings/thing.jq", 'if .n % 3 == 0 then error("no thirds") else {number: "T-\\(.n)"} end\n')
    site.start()
    things(site, *range(1, 31), name="batch")
    site.wait_files("out", 20)
    letters = wait(lambda: len(site.dead()) == 10 and site.dead(), 10, "ten dead letters")
    equal({letter["cause"] for letter in letters}, {"jq.error"}, "causes")
    groups = site.ask("dead", "list", "--cause", "jq.error")["groups"]
    equal((len(groups), groups[0]["count"]), (1, 10), "groups")
    out = site.do("dead", "list")
    check("jq.error" in out and "ferrule dead show" in out, out)
    number = letters[0]["number"]
    out = site.do("dead", "show", str(number))
    for word in ("map:thing.jq", "no thirds", "batch.json", '"n":3'):
        check(word in out, word, "is not in", out)
    out = site.do("dead", "replay", "--cause", "jq.error", "--dry-run")
    equal(out.count("would replay"), 10, "dry run")
    equal(len(site.dead()), 10, "after a dry run")
    # replayed while the mapping is still broken: it dies again, one letter stays
    site.do("dead", "replay", str(number))
    wait(lambda: len(site.dead()) == 10, 10, "it to die again")
    site.do("dead", "discard", str(letters[9]["number"]), "--reason", "not wanted")
    equal(len(site.dead()), 9, "after discarding one")
    discarded = site.letter(letters[9]["number"])
    check(discarded["state"] == "discarded" and "not wanted" in json.dumps(discarded["history"]), discarded)
    # edited: another number in the document of this one part
    edited = site.write("edited.json", json.dumps([{"n": n if n != 6 else 100} for n in range(1, 31)]))
    # the mapping is mended
    site.write("mappings/thing.jq", '{number: "T-\\(.n)"}\n')
    check("reloaded" in site.reload(), "reload")
    site.do("dead", "replay", "--cause", "jq.error", "--first", "1")
    site.wait_files("out", 21)
    equal(len(site.dead()), 8, "after the first")
    began = time.monotonic()
    site.do("dead", "replay", "--cause", "jq.error", "--rate", "10/s")
    took = time.monotonic() - began
    check(0.6 <= took < 3, f"8 at 10/s took {took:.1f} s")
    site.wait_files("out", 29)
    site.idle()
    equal(site.dead(), [], "dead letters")
    equal(site.files("out"), sorted(f"T-{n}.json" for n in range(1, 30)), "delivered")
    check("No dead letters" in site.do("dead", "list"), "the words")


@test("a replayed part delivers nothing of its neighbours again, also where the reader took their files away")
def replay_of_a_part(site):
    target = Target(site, "erp", "--plain")
    site_of(site, target.url)
    site.write("mappings/thing.jq", 'if .n == 2 then error("broken") else {number: "T-\\(.n)"} end\n')
    site.start()
    things(site, 1, 2, 3)
    site.wait_files("out", 2)
    wait(lambda: len(target.paths()) == 2, 10, "the target")
    for name in site.files("out"):
        os.unlink(site.at("out", name))
    site.write("mappings/thing.jq", '{number: "T-\\(.n)"}\n')
    site.reload()
    site.do("dead", "replay", str(site.dead()[0]["number"]))
    site.wait_files("out", 1)
    wait(lambda: len(target.paths()) == 3, 10, "the target")
    site.idle()
    equal(site.files("out"), ["T-2.json"], "delivered by the replay")
    equal(sorted(target.paths()), ["/T-1", "/T-2", "/T-3"], "effects")


@test("an edited dead letter goes on with its new body")
def edit(site):
    site_of(site)
    site.start()
    site.drop("in/x.json", '[{"n": 1}, ')
    number = wait(lambda: site.dead(), 10, "the dead letter")[0]["number"]
    site.do("dead", "edit", str(number), "--file", site.write("mended.json", '[{"n": 1}]'))
    site.do("dead", "replay", str(number))
    site.wait_files("out", 1)
    equal(site.dead(), [], "dead letters")
    os.environ["EDITOR"] = "sed -i s/oops/3/"
    site.drop("in/y.json", '[{"n": oops}]')
    number = wait(lambda: site.dead(), 10, "the dead letter")[0]["number"]
    site.do("dead", "edit", str(number))
    site.do("dead", "replay", str(number))
    site.wait_files("out", 2)


@test("send: once, recognised the second time, accepted anew with --again")
def send(site):
    site_of(site)
    path = site.write("orders.json", '[{"n": 7}]')
    check("accepted" in site.do("send", "intake", path), "accepted")
    check("recognised" in site.do("send", "intake", path), "recognised")
    site.start()
    site.wait_files("out", 1)
    os.unlink(site.at("out/T-7.json"))
    site.do("send", "intake", path, "--again")
    site.wait_files("out", 1)
    equal(site.type("send", "intake", "/no/such/file")[0], 1, "a file that is not there")
    out = site.do("send", "intake", "-", "--name", "piped.json", input='[{"n": 8}]')
    check("accepted" in out, out)
    site.wait_files("out", 2)


@test("decode, map, validate and encode work as a pipeline, and fail with 1")
def pipelines(site):
    site_of(site)
    lines = '{"n": 1}\n{"n": 2}\n'
    out = site.do("map", site.at("mappings/thing.jq"), input=lines)
    equal([json.loads(line)["number"] for line in out.splitlines()], ["T-1", "T-2"], "mapped")
    equal(site.do("validate", site.at("canonical/thing/v1.schema.json"), input=out), out, "validated")
    command = f"'{FERRULE}' decode json-lines | '{FERRULE}' map mappings/thing.jq | '{FERRULE}' validate thing/v1 --site ." \
              f" | '{FERRULE}' encode xml"
    done = subprocess.run(command, shell=True, input=lines.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=site.path)
    check(b"<number>T-1</number>" in done.stdout and b"T-2" in done.stdout, done.stdout, done.stderr)
    code, out, err = site.type("validate", site.at("canonical/thing/v1.schema.json"), input='{"numer": "x"}\n')
    check(code == 1 and "number" in err, code, out, err)
    code, out, err = site.type("validate", "thing/v1", "--site", site.path, "--json", input='{"number": "T-1"}\n{"numer": "x"}\n')
    fault = json.loads(err)
    equal((code, out, fault["position"], fault["faults"][0]["keyword"]), (1, '{"number": "T-1"}\n', "line 2", "required"), "told")
    site.write("a.json", '{"properties": {"day": {"$ref": "b.json#/$defs/day"}}}')
    site.write("b.json", '{"$defs": {"day": {"type": "string", "format": "date"}}}')
    equal(site.do("validate", site.at("a.json"), input='{"day": "soon"}'), '{"day": "soon"}\n', "formats are words")
    code, out, err = site.type("validate", "--formats", "on", site.at("a.json"), input='{"day": "soon"}')
    check(code == 1 and "/day: must be a date" in err, code, out, err)
    code, out, err = site.type("decode", "json", input='{"n": ')
    check(code == 1 and "line 1" in err, code, out, err)
    code, out, err = site.type("decode", "jsn", input="{}")
    check(code and "did you mean `json`" in err, code, out, err)


@test("log: what a running site writes is changed at once, in every process")
def log(site):
    site_of(site)
    code, out, err = site.type("log")
    check(code == 3 and "not running" in err, code, out, err)
    site.start()
    equal(site.do("log").strip(), "info", "levels")
    things(site, 1)
    site.wait_files("out", 1)
    check(not site.said("level=debug"), "no debug lines yet")
    equal(site.do("log", "warn,file=debug").strip(), "warn,file=debug", "levels")
    things(site, 2)
    wait(lambda: site.said("module=file correlation=- put away"), 10, "what the poller says of its file")
    code, out, err = site.type("log", "loud")
    check(code == 1 and "warn,deliver=debug" in err, code, out, err)


@test("a site whose queue process does not answer cannot be reached: 3")
def unreachable(site):
    site_of(site)
    site.start()
    queue = site.processes()["queue"][0] if site.processes()["queue"] else site.processes()["ferrule"][0]
    os.kill(queue, signal.SIGSTOP)
    try:
        code, out, err = site.type("status", timeout=60)
        check(code == 3 and err, code, out, err)
        print("#", err.strip())
    finally:
        os.kill(queue, signal.SIGCONT)


@test("two runs of one site are told apart: the second says which process has it")
def second_run(site):
    site_of(site)
    site.start()
    code, out, err = site.type("run", site.path, timeout=40)
    check(code == 3 and str(site.supervisor.pid) in err, code, out, err)


main()
