#!/usr/bin/env python3
"""The templates of `ferrule init`: each is a site that is right, whose tests pass, that runs, and whose next steps work as they are printed."""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from bed import FERRULE, Target, check, equal, main, read, test  # noqa: E402

TEMPLATES = ["edi-to-erp", "empty", "file-to-http", "order-to-cash"]


def new(site, template):
    """The test's site is a new one of the template; what init answered."""
    subprocess.run(["rm", "-r", site.path], check=True)
    code, out, err = site.type("init", site.path, "--template", template, "--json", cwd=site.root)
    equal(code, 0, out + err)
    return json.loads(out)


@test("those there are stand in the help, and are told where one is named that there is not")
def names(site):
    code, _, err = site.type("init", os.path.join(site.root, "x"), "--template", "no-such")
    equal(code, 2, "exit")
    told = re.findall(r"[a-z]+(?:-[a-z]+)*", err.split("`: there is ")[1].splitlines()[0])
    equal([name for name in told if name != "and"], TEMPLATES, "templates that are told")
    words = site.do("completion", "words", "--", "init", "x", "--template", "").splitlines()
    equal(sorted(word.split("\t")[0] for word in words), TEMPLATES, "templates that ship")
    helped = site.do("help", "init")
    check(all(name in helped for name in TEMPLATES), helped)
    code, _, err = site.type("init", os.path.join(site.root, "x"), "--template", "file-to-htp")
    check("did you mean `file-to-http`" in err, err)


def right(site, template):
    made = new(site, template)
    for secret in made["secrets"]:
        equal(os.stat(secret).st_mode & 0o777, 0o600, secret)
    equal(site.do("check"), ".: no errors\n", "check says no warning either")
    environments = os.path.join(site.path, "environments")
    if os.path.isdir(environments):
        out = site.do("check", "--env", "all")
        check(": warning:" not in out and ": error:" not in out, out)
    if os.path.isdir(os.path.join(site.path, "tests")):
        tests = site.ask("test")
        check(tests["ok"] == tests["tests"] and tests["tests"] >= 3, tests)
    check(os.path.exists(site.at("README.md")) and os.path.exists(site.at(".gitignore")), os.listdir(site.path))
    check(not os.path.exists(site.at("next.txt")), "what is for init stays there")
    for folder, _, files in os.walk(site.path):
        for name in files:
            if name.endswith(".yaml"):
                first = read(os.path.join(folder, name)).decode().splitlines()[0]
                named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", first)
                check(named and os.path.exists(os.path.join(folder, named.group(1))), os.path.join(folder, name), first)
    environment = dict(os.environ, LISTEN_PORT="0", ACME_AGE="0s", PARTNER_AGE="0s", STOCK_AGE="0s", PATH=os.path.dirname(FERRULE) + ":" + os.environ["PATH"])
    for step in made["next"]:
        done = subprocess.run(["bash", "-c", step.replace("--for 10s", "--for 3s")], cwd=site.root, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        equal(done.returncode, 0, f"the next step `{step}`: {done.stdout.decode()[-400:]}")


@test("the next steps can be typed for a directory whose name a shell would take apart")
def odd_name(site):
    directory = os.path.join(site.root, "Wal's Büro $(id)")
    code, out, err = site.type("init", directory, "--template", "empty", "--json", cwd=site.root)
    equal(code, 0, out + err)
    for step in json.loads(out)["next"]:
        done = subprocess.run(["bash", "-c", step], cwd=site.root, env=dict(os.environ, PATH=os.path.dirname(FERRULE) + ":" + os.environ["PATH"]),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        equal(done.returncode, 0, f"the next step `{step}`: {done.stdout.decode()[-400:]}")


@test("empty is right")
def empty(site):
    right(site, "empty")


@test("file-to-http is right")
def file_to_http(site):
    right(site, "file-to-http")


@test("edi-to-erp is right")
def edi_to_erp(site):
    right(site, "edi-to-erp")


@test("order-to-cash is right")
def order_to_cash(site):
    right(site, "order-to-cash")


@test("file-to-http runs: each count reaches the shop once, with its key, and the wrong one is refused alone")
def shop(site):
    new(site, "file-to-http")
    target = Target(site, "shop", "--idempotent")
    os.makedirs(site.at("drop/stock"))
    subprocess.run(["cp", site.at("input/stock-20260302.jsonl"), site.at("drop/stock/")], check=True)
    os.environ.update(SHOP_URL=target.url, STOCK_AGE="0s")
    try:
        site.run_until_idle()
    finally:
        del os.environ["SHOP_URL"], os.environ["STOCK_AGE"]
    equal(sorted(target.paths()), ["/products/HP-2040/stock", "/products/HS-1210/stock", "/products/SK-0008/stock"], "requests")
    equal([(letter["step"], letter["cause"]) for letter in site.dead()], [("validate:stock/v1", "schema.fault")], "dead letters")
    check("delivered" in site.do("trace", "HP-2040"), "trace")


@test("edi-to-erp runs: CSV for the ERP, and a report of what was refused")
def erp(site):
    new(site, "edi-to-erp")
    os.makedirs(site.at("drop/partners"))
    subprocess.run(["bash", "-c", f"cp '{site.path}'/input/*.edi '{site.path}/drop/partners/'"], check=True)
    os.environ["PARTNER_AGE"] = "0s"
    try:
        site.run_until_idle()
    finally:
        del os.environ["PARTNER_AGE"]
    equal(site.files("drop/erp"), ["acme-PO-4711.csv", "brix-BX-88123.csv"], "files for the ERP")
    equal(read(site.at("drop/erp/acme-PO-4711.csv")).decode().splitlines()[1], "PO-4711;2026-03-02;ACME-0042;1;HP-2040;4;EA;618.00;USD", "a row")
    equal(len(site.files("drop/refused")), 1, "reports")
    report = json.loads(read(site.at("drop/refused", site.files("drop/refused")[0])))
    equal((report["code"], report["document"]), ("jq.error", "acme-0001.edi"), "what it says")


@test("run --env takes the values of environments/NAME.yaml, and the same site runs in another as well")
def environments(site):
    new(site, "edi-to-erp")
    for name in ("east", "west"):
        site.write(f"environments/{name}.yaml", f"PARTNER_DROP: {name}/in\nERP_IMPORT: {name}/erp\nPARTNER_AGE: 0s\n")
        os.makedirs(site.at(name, "in"))
    subprocess.run(["cp", site.at("input/brix-0007.edi"), site.at("east/in/")], check=True)
    subprocess.run(["cp", site.at("input/acme-0001.edi"), site.at("west/in/")], check=True)
    site.run_until_idle(60, "--env", "east")
    equal((site.files("east/erp"), site.files("west/erp")), (["brix-BX-88123.csv"], []), "in the east")
    site.run_until_idle(60, "--env", "west")
    equal((site.files("east/erp"), site.files("west/erp")), (["brix-BX-88123.csv"], ["acme-PO-4711.csv"]), "in the west")
    code, _, err = site.type("run", site.path, "--for", "0s")
    check(code == 2 and "more than nothing" in err, code, err)
    code, _, err = site.type("run", site.path, "--env", "esat")
    check(code == 3 and "did you mean `--env east`?" in err, code, err)
    site.write("environments/east.yaml", "PARTNER_DROP: east/in\n")
    site.write("flows/more.yaml", "flow: more\nowner: me\nfrom: {file: '${NOWHERE}/*'}\nto: {file: 'out/x', create: yes}\neffect: rename\n")
    code, _, err = site.type("run", site.path, "--env", "east")
    check(code == 1 and "NOWHERE" in err, code, err)


if __name__ == "__main__":
    main()
