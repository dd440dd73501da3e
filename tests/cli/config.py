#!/usr/bin/env python3
"""ferrule config show: what is in force, where it comes from, and that it reads back as the same. Prints TAP."""
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import FERRULE, check, equal, main, test  # noqa: E402

FLOW = """flow: in
owner: me
from: {file: '${FOLDER:in}/*.json'}
steps:
  - decode: json
  - map: {jq: '.price = "$${" + .n'}
to:
  webhook: https://${HOST:target.example}/$(.n)
  headers: {X-Tenant: '${ERP_TOKEN}', X-Kind: order}
effect: none
"""


def show(site, directory, *options):
    code, out, err = site.type("config", "show", "--site", directory, "--json", *options)
    equal(code, 0, out + err)
    return json.loads(out)


def documents(answer):
    return [(f["file"], f["document"]) for f in answer["files"]]


def at(answer, file, pointer):
    for f in answer["files"]:
        if f["file"] == file and pointer in f["origins"]:
            return f["origins"][pointer]
    return None


def site_of(site):
    site.write("site.yaml", "name: shown\nprocesses: {transform: '${PROCESSES:1}'}\n")
    site.write("flows/in.yaml", FLOW)
    site.write("environments/prod.yaml", "FOLDER: /srv/in\n")
    os.environ["ERP_TOKEN"] = "very-hidden"


@test("every value has its origin: a file, an environment, a variable, a variable's default, a default")
def origins(site):
    site_of(site)
    os.environ["HOST"] = "elsewhere.example"
    try:
        answer = show(site, site.path, "--effective", "--env", "prod")
    finally:
        del os.environ["HOST"]
    equal(answer["environment"], "prod", "environment")
    place = {"file": "flows/in.yaml"}
    equal(at(answer, "flows/in.yaml", "/owner"), {"from": "file", **place, "line": 2, "column": 8}, "owner")
    equal(at(answer, "flows/in.yaml", "/from/file"),
          {"from": "environment", **place, "line": 3, "column": 14, "variable": "FOLDER", "where": "environments/prod.yaml:1:9"}, "from")
    equal(at(answer, "site.yaml", "/processes/transform"),
          {"from": "variable-default", "file": "site.yaml", "line": 2, "column": 24, "variable": "PROCESSES"}, "processes")
    equal(at(answer, "flows/in.yaml", "/retry/for"), {"from": "default"}, "retry")
    equal(at(answer, "flows/in.yaml", "/from/after"), {"from": "default"}, "after")
    flow = dict(documents(answer))["flows/in.yaml"]
    equal((flow["from"]["file"], flow["retry"]["to"], flow["duplicates"]["by"]), ("/srv/in/*.json", "15m", "content"), "values")
    check("retry" not in dict(documents(show(site, site.path, "--env", "prod")))["flows/in.yaml"], "without --effective no defaults")


@test("a variable of the environment is named as one")
def variables(site):
    site.write("flows/in.yaml", "flow: in\nowner: me\nfrom: {file: '${FERRULE_TEST_FOLDER}/*'}\nto: {file: 'out/$($envelope.id)'}\neffect: rename\n")
    os.environ["FERRULE_TEST_FOLDER"] = "there"
    try:
        answer = show(site, site.path)
        text = site.do("config", "show", "--site", site.path)
    finally:
        del os.environ["FERRULE_TEST_FOLDER"]
    equal(at(answer, "flows/in.yaml", "/from/file")["from"], "variable", "origin")
    check(re.search(r"file: there/\* +# the environment's FERRULE_TEST_FOLDER, flows/in.yaml:3:14", text), text)


@test("a value that goes where credentials stand is hidden, whatever its variable is called")
def credentials(site):
    site.write("systems/erp.yaml", "system: erp\nowner: me\nsummary: x\nurl: https://erp.example\n"
               "headers: {X-Api-Key: '${ERP_A}', X-Tenant: 'a ${ERP_TOKEN} b'}\n"
               "operations:\n  put: {path: '/a?api_key=${ERP_B}&kind=${ERP_C}', method: PUT}\n")
    site.write("flows/in.yaml", "flow: in\nowner: me\nfrom: {file: 'in/*'}\nto: {operation: erp.put}\neffect: none\n")
    site.write("environments/prod.yaml", "ERP_A: very/hid@den\nERP_B: very-hidden\nERP_C: open\n")
    os.environ["ERP_TOKEN"] = "hidden-too"
    for options in ([], ["--json"]):
        out = site.do("config", "show", "--effective", "--env", "prod", "--site", site.path, *options)
        check("hid" not in out and "/a?api_key=***&kind=open" in out and "a *** b" in out, out)


@test("secrets are hidden, in text and as JSON")
def secrets(site):
    site_of(site)
    for options in ([], ["--json"]):
        out = site.do("config", "show", "--effective", "--env", "prod", "--site", site.path, *options)
        check("very-hidden" not in out and "***" in out, out)
    flow = dict(documents(show(site, site.path, "--env", "prod")))["flows/in.yaml"]
    equal(flow["to"]["headers"], {"X-Tenant": "***", "X-Kind": "order"}, "a token")
    site.write("flows/in.yaml", FLOW.replace("https://$", "https://me:${ERP_TOKEN}@$"))
    code, out, err = site.type("config", "show", "--env", "prod")
    check("very-hidden" not in out + err, code, out, err)
    site.write("flows/in.yaml", FLOW.replace("https://$", "https://shop.example/x?api_key=${SHOP}&u=$"))
    for options in ([], ["--json"]):
        done = subprocess.run([FERRULE, "config", "show", "--effective", "--env", "prod", "--site", site.path, *options],
                              capture_output=True, text=True, env={**os.environ, "SHOP": "very-hidden"})
        check(done.returncode == 0 and "very-hidden" not in done.stdout and "***" in done.stdout, done.stdout, done.stderr)
    site.write("flows/in.yaml", FLOW.replace("https://$", "https://me:very-hidden@$"))
    code, out, err = site.type("config", "show", "--env", "prod")
    check(code == 1 and not out and "secret" in err and "very-hidden" not in err, code, out, err)


def reparse(site, directory, *options):
    """Written into files it is a site that is the same."""
    first = show(site, directory, "--effective", *options)
    text = site.do("config", "show", "--effective", "--site", directory, *options)
    again = os.path.join(site.root, "again")
    shutil.rmtree(again, ignore_errors=True)
    os.makedirs(again)
    for folder in ("mappings", "canonical", "tables", "environments"):
        if os.path.isdir(os.path.join(directory, folder)):
            shutil.copytree(os.path.join(directory, folder), os.path.join(again, folder))
    for part in re.split(r"^---\n", text, flags=re.M):
        name = re.match(r"# (\S+)\n", part).group(1)
        os.makedirs(os.path.dirname(os.path.join(again, name)), exist_ok=True)
        new = not os.path.exists(os.path.join(again, name))
        with open(os.path.join(again, name), "a", encoding="utf-8") as file:
            file.write(part if new else "---\n" + part)
    second = show(site, again, "--effective", *options)
    equal(documents(second), documents(first), "read again")
    check(all(o["from"] == "file" for f in second["files"] for p, o in f["origins"].items()), "all of it is said now")
    return again


@test("what is shown, read again, is the same: the samples in each of their environments")
def samples(site):
    listed = [w.split("\t")[0] for w in site.do("completion", "words", "--", "init", "x", "--template", "").splitlines()]
    check("order-to-cash" in listed, listed)
    for template in listed:
        path = os.path.join(site.root, template)
        site.do("init", path, "--template", template)
        environments = [name[:-5] for name in sorted(os.listdir(os.path.join(path, "environments")))] if os.path.isdir(os.path.join(path, "environments")) else []
        for options in [[], *(["--env", name] for name in environments)]:
            again = reparse(site, path, *options)
            if os.path.isdir(os.path.join(path, "secrets")):
                shutil.copytree(os.path.join(path, "secrets"), os.path.join(again, "secrets"))
            code, out, err = site.type("check", again, *options)
            check(code == 0 and ": error:" not in out, template, options, out + err)


@test("… and one with everything that is hard to write")
def hard(site):
    site.write("flows/in.yaml", """flow: in
owner: 'it''s: "me" # truly'
summary: |
  Two lines,
    the second indented
from:
  - {file: 'a/*.json', ignore: ['*.x', "tab\\there"], after: delete}
  - {webhook: /b, verify: none, name: second}
subscribe:
duplicates: {by: [$envelope.id, '$envelope.name + "$${x}"']}
order: {by: $envelope.name, on-reject: continue}
steps:
  - decode: json
  - filter: '.a == "- b: c"'
  - route:
      - {when: .b > 1, publish: b.v1, steps: [{map: {jq: '{a: "yes"}'}}, {encode: json}]}
  - use: {snippet: tidy, with: {land: DE}}
  - encode: {format: csv, columns: [a, b: .c, 'd e': '.f # g'], separator: tab}
to: {file: 'out/$(.a).csv'}
effect: rename
expect:
  - {event: b.v1, key: .a, within: 2h, runbook: ~/x}
---
flow: b
owner: 'null'
subscribe: b.v1
to: {webhook: 'http://h/', auth: {basic: {user: u, password: {secret: s}}}, headers: {a: '1', 'b c': '$(.x)'}}
effect: {key: '$(.k)', remembers: forever}
""")
    site.write("snippets/tidy.yaml", "snippet: tidy\nparameters: {land: , other: '5'}\nsteps:\n  - map: {jq: '.land = \"${land}\" | .n = ${other} | .x = \"$${land}\"'}\n")
    site.write("site.yaml", "name: hard\nlisten: {http: {port: 0}}\nqueue: {spool: {}}\nstore: {sqlite: {cache: 2MiB}}\n")
    site.secret("s", "x")
    again = reparse(site, site.path)
    shutil.copytree(site.at("secrets"), os.path.join(again, "secrets"))
    code, out, err = site.type("check", again)
    check(code == 0, out + err)


@test("a site that is not valid has nothing in force; its mistakes are told")
def invalid(site):
    site.write("flows/in.yaml", "flow: in\nownr: me\n")
    code, out, err = site.type("config", "show")
    check(code == 1 and not out and "did you mean `owner`" in err, code, out, err)
    equal(site.type("config", "shwo")[0], 2, "another word")


if __name__ == "__main__":
    main()
