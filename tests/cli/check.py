#!/usr/bin/env python3
"""`ferrule check` as people and CI type it: exit codes, SARIF, environments, the limit, and what it keeps for the second time."""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import FERRULE, Skip, check, equal, main, test  # noqa: E402

FLOW = """
flow: orders
owner: me
from: {file: 'in/*.json', after: archive}
steps:
  - decode: json
  - filter: .lines | length > 0
  - map: thing.jq
to: {file: '${OUT:out}/$(.number).json', create: yes}
effect: rename
"""


def site_of(site):
    site.flow(FLOW)
    site.write("mappings/thing.jq", "{number: .n}\n")


def ferrule(site, *words, **options):
    done = subprocess.run([FERRULE, "check", site.at("."), *words], capture_output=True, text=True, **options)
    return done.returncode, done.stdout, done.stderr


def cached(site):
    return sorted(os.listdir(site.at("data/check"))) if os.path.isdir(site.at("data/check")) else []


@test("exit codes are 0 without errors, 1 with one, 2 for a wrong line and 3 without a site")
def codes(site):
    site_of(site)
    equal(ferrule(site)[0], 0)
    equal(ferrule(site, "--sarif", "--json")[0], 2)
    equal(ferrule(site, "--limit", "x")[0], 2)
    equal(ferrule(site, "--env", "nowhere")[0], 3)
    site.write("mappings/thing.jq", "{number: .n\n")
    code, out, _ = ferrule(site)
    equal(code, 1)
    check(re.search(r"^mappings/thing.jq:1:12: error: syntax error, unexpected end", out, re.M), out)


@test("the second check says the same from what was kept, and looks again when anything changes")
def second(site):
    site_of(site)
    site.write("mappings/thing.jq", "{number: .n} | nothing\n")
    first = ferrule(site)
    equal(cached(site), ["site.json"])
    kept = json.load(open(site.at("data/check/site.json")))
    kept["findings"][0]["message"] = "said from what was kept"
    json.dump(kept, open(site.at("data/check/site.json"), "w"))
    check("said from what was kept" in ferrule(site)[1], "it looked again")
    equal(ferrule(site, "--fresh"), first, "--fresh")
    equal(ferrule(site), first, "after --fresh")
    site.write("mappings/thing.jq", "{number: .n} | nothings\n")
    check("nothings/0" in ferrule(site)[1], "a changed file")
    site.write("mappings/thing.jq", "{number: .n}\n")
    equal(ferrule(site)[0], 0)
    equal(ferrule(site, env={**os.environ, "OUT": "elsewhere"})[0], 0)
    site.flow(FLOW.replace("owner: me", "owner: me\nrunbook: late.md"))
    check("runbook late.md is not there" in ferrule(site)[1])
    site.write("late.md", "wait\n")
    check("runbook" not in ferrule(site)[1], "a runbook that came")
    with open(site.at("site.yaml"), "a", encoding="utf-8") as text:
        text.write("listen: {http: {port: 0, tls: {certificate: late.pem, key: {secret: tls}}}}\n")
    check("the certificate late.pem is not there" in ferrule(site)[1])
    site.write("late.pem", "a certificate\n")
    check("late.pem" not in ferrule(site)[1], "a certificate that came")


@test("mistakes in tests are findings, looked at again when a test changes or a file that it names comes or goes")
def trials(site):
    site_of(site)
    text = "test: one\nflow: orders\ninput: in/one.json\ndelivered: {to: orders, has: {number: 1}, where: .number == 1}\n"
    site.write("in/one.json", '{"n": 1, "lines": [1]}')
    site.write("tests/deep/one.yaml", text)
    equal(ferrule(site)[0], 0)
    equal(ferrule(site)[0], 0, "the second time")
    site.write("tests/deep/one.yaml", text.replace("flow: orders", "flow: order").replace("delivered", "deliverd"))
    code, out, _ = ferrule(site)
    equal(code, 1)
    check("tests/deep/one.yaml:2:7: error: the site has no flow `order`; did you mean `orders`?" in out, out)
    check("tests/deep/one.yaml:4:1: error: unknown key `deliverd`; did you mean `delivered`?" in out, out)
    equal(ferrule(site), (code, out, ""), "the second time")
    site.write("tests/deep/one.yaml", text.replace(".number == 1", ".number = = 1"))
    check("tests/deep/one.yaml:4:60: error: syntax error" in ferrule(site)[1], ferrule(site)[1])
    site.write("tests/deep/one.yaml", text)
    equal(ferrule(site)[0], 0)
    os.remove(site.at("in/one.json"))
    check("tests/deep/one.yaml:3:8: error: there is no file in/one.json" in ferrule(site)[1], "an input that went")
    site.write("in/one.json", "{}")
    equal(ferrule(site)[0], 0, "an input that came")
    sarif = json.loads(ferrule(site, "--sarif")[1])
    equal(sarif["runs"][0]["results"], [])


@test("a field of a table that is too long is told, and not cut")
def long_field(site):
    site.flow(FLOW.replace("map: thing.jq", "enrich: {table: t.csv, key: .n, as: .name}"))
    site.write("tables/t.csv", "n,name\n1," + "x" * 65536 + "\n")
    check("more than 64 KiB" not in ferrule(site)[1], "64 KiB are not too long")
    site.write("tables/t.csv", "n,name\n1," + "x" * 65537 + "\n")
    check("tables/t.csv:2:1: error: a field of more than 64 KiB" in ferrule(site)[1])


@test("variables that are not closed do not keep check busy")
def unclosed(site):
    site_of(site)
    site.write("snippets/late.yaml", "snippet: late\nsummary: '" + "${A:" * 200000 + "'\nsteps: []\n")
    subprocess.run([FERRULE, "check", "--fresh", site.at(".")], capture_output=True, timeout=30, check=False)


@test("a damaged note is nothing, and so is a folder that cannot be written")
def unwritable(site):
    site_of(site)
    site.write("mappings/thing.jq", "{number: .n} | nothing\n")
    first = ferrule(site)
    for text in ("", "{", '{"key": 5}', "[" * 100000):
        site.write("data/check/site.json", text)
        equal(ferrule(site), first, f"after {text[:20]!r}")
    subprocess.run(["rm", "-rf", site.at("data")], check=True)
    site.write("data", "a file stands where the directory would be")
    equal(ferrule(site), first, "data is a file")
    os.remove(site.at("data"))
    if os.geteuid() == 0:
        raise Skip("root may write anywhere")
    os.chmod(site.at("."), 0o555)
    try:
        equal(ferrule(site), first, "read-only")
    finally:
        os.chmod(site.at("."), 0o755)


@test("what is kept tells git to leave it alone, and lies where nobody else can write")
def polite(site):
    site_of(site)
    subprocess.run(["rm", "-rf", site.at("data")], check=True)
    ferrule(site)
    equal(open(site.at("data/.gitignore")).read(), "*\n")
    equal(os.stat(site.at("data/check")).st_mode & 0o777, 0o700)
    subprocess.run(["rm", "-rf", site.at("data")], check=True)
    os.chmod(site.at("."), 0o777)
    ferrule(site)
    check(not os.path.exists(site.at("data")), "it wrote into a folder that others may write to")


@test("what is there and cannot be read is told as that, and keeps run from starting, though the revision was checked before")
def unreadable(site):
    site_of(site)
    site.flow(FLOW.replace("to: {file: '${OUT:out}/$(.number).json', create: yes}\neffect: rename",
                           "to: {operation: tool.put}\neffect: none"))
    site.system("tool", "http://127.0.0.1:9", "  put: {method: PUT, path: /x}", "auth: {bearer: {secret: shop}}\n")
    site.secret("shop", "let me in")
    equal(ferrule(site)[0], 0, ferrule(site)[1])
    run = ("run", site.at("."), "--until-idle", "--for", "10s")
    code, _, err = site.type(*run)
    equal(code, 0, err)
    os.remove(site.at("secrets/shop"))
    os.symlink("shop", site.at("secrets/shop"))  # leads to itself: not even root can read it
    sentence = "opening the secret " + os.path.realpath(site.at("secrets/shop")) + ": Too many levels of symbolic links"
    check(sentence in ferrule(site)[1], ferrule(site)[1])
    code, out, err = site.type(*run)
    check(code != 0 and sentence in err + out and "restart" not in err, code, out, err)
    os.remove(site.at("secrets/shop"))
    subprocess.run(["rm", "-r", site.at("mappings")], check=True)
    os.symlink("mappings", site.at("mappings"))
    for words in (["check", site.at(".")], run):
        code, out, err = site.type(*words)
        check(code == 3 and "mappings: Too many levels of symbolic links" in err and "there is no" not in out + err, code, out, err)


@test("--env all tells what is wrong in one environment only with its name")
def environments(site):
    site_of(site)
    site.flow(FLOW + "timeouts: 5\nretry: {for: '${PATIENCE}'}\n")
    site.write("environments/dev.yaml", "PATIENCE: 1h\n")
    site.write("environments/prod.yaml", "PATIENCE: long\n")
    code, out, _ = ferrule(site, "--env", "all")
    equal(code, 1)
    lines = [line for line in out.splitlines() if ": error: " in line]
    equal(len(lines), 2, out)
    check(lines[0].endswith("(environment prod)") != lines[1].endswith("(environment prod)"), out)
    equal(cached(site), ["env-dev.json", "env-prod.json"])
    findings = json.loads(ferrule(site, "--env", "all", "--json")[1])["findings"]
    equal([f.get("scope") for f in findings if "PATIENCE" not in f["message"]].count("environment prod"), 1, findings)


@test("--limit shows so many and tells how many more")
def limit(site):
    site_of(site)
    site.flow(FLOW + "".join(f"key{n}: x\n" for n in range(30)))
    code, out, _ = ferrule(site, "--limit", "10")
    equal(code, 1)
    equal(out.count(": error: "), 10)
    check("and 20 more" in out and "30 errors" in out, out)
    answer = json.loads(ferrule(site, "--limit", "10", "--json")[1])
    equal((answer["errors"], len(answer["findings"]), answer["more"]), (30, 10, 20))
    equal(len(json.loads(ferrule(site, "--limit", "10", "--sarif")[1])["runs"][0]["results"]), 30)


@test("SARIF has a rule for every code, and results that point to them and into the site")
def sarif(site):
    site_of(site)
    site.write("mappings/thing.jq", "{number: .n\n")
    site.write("mappings/old one.jq", ".\n")
    site.flow(FLOW.replace("owner: me", "ownr: me"))
    code, out, _ = ferrule(site, "--sarif")
    equal(code, 1)
    log = json.loads(out)
    equal(log["version"], "2.1.0")
    run, = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    codes = {c["code"]: c for c in json.loads(ferrule(site, "--codes", "--json")[1])["codes"]}
    equal([r["id"] for r in rules], list(codes))
    check(run["originalUriBaseIds"]["SITE"]["uri"].startswith("file:///") and run["originalUriBaseIds"]["SITE"]["uri"].endswith("/"))
    check(run["results"], "no results")
    for result in run["results"]:
        equal(rules[result["ruleIndex"]]["id"], result["ruleId"])
        check(result["level"] in ("error", "warning") and result["message"]["text"], result)
        place = result["locations"][0]["physicalLocation"]
        equal(place["artifactLocation"]["uriBaseId"], "SITE")
        check(os.path.exists(site.at(place["artifactLocation"]["uri"].replace("%20", " "))), place)
        check(place["region"]["startLine"] >= 1 and place["region"].get("startColumn", 1) >= 1, place)
        check(len(result["partialFingerprints"]["ferrule/v1"]) == 64, result)


@test("--codes lists each code once, with a sentence")
def listed(site):
    site_of(site)
    code, out, _ = ferrule(site, "--codes")
    equal(code, 0)
    names = [line.split()[0] for line in out.splitlines()]
    equal(names, sorted(set(names)))
    check(all(re.match(r"[a-z.-]+ +(error|warning) +\S", line) for line in out.splitlines()), out)


main()
