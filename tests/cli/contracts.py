#!/usr/bin/env python3
"""ferrule contract, and check --against: what they say, their exit codes, and the pages in docs/contracts."""
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import FERRULE, check, equal, main, read, test  # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(HERE))
ENTITIES = sorted(os.listdir(os.path.join(SOURCE, "config", "canonical")))
THING = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Thing", "type": "object", "required": ["number"],
         "additionalProperties": False, "x-ferrule-keys": [".number"],
         "properties": {"number": {"type": "string", "maxLength": 20}, "note": {"type": "string", "x-ferrule-personal": True}}}
FLOW = """flow: intake
owner: order-desk
from: {file: 'in/*.json', after: archive}
steps:
  - decode: json
  - validate: thing/v1
  - encode: json
to: {file: 'out/$(.number).json', exists: refuse}
effect: rename
"""


def changed(**properties):
    thing = json.loads(json.dumps(THING))
    for name, schema in properties.items():
        if schema is None:
            del thing["properties"][name]
        else:
            thing["properties"][name] = schema
    return thing


def write(site, path, what):
    site.write(path, json.dumps(what, indent=2) if not isinstance(what, str) else what)


def verdict(site, old, new, *words):
    write(site, "old.json", old)
    write(site, "new.json", new)
    code, out, err = site.type("contract", "diff", "old.json", "new.json", *words, "--json")
    answer = json.loads(out)
    equal(code, 0 if answer["compatible"] else 1, "exit code")
    return answer


@test("the pages in docs/contracts are what contract show says")
def pages(site):
    check(len(ENTITIES) == 15, ENTITIES)
    for entity in ENTITIES:
        code, out, err = site.type("contract", "show", f"{entity}/v1", "--markdown")
        equal(code, 0, err)
        equal(out, read(os.path.join(SOURCE, "docs", "contracts", entity + ".md")).decode(),
              f"docs/contracts/{entity}.md is old: make docs")


@test("contract list names those of the site before those that ship")
def listed(site):
    write(site, "canonical/order/v1.schema.json", THING)
    write(site, "canonical/thing/v2.schema.json", THING)
    code, out, err = site.type("contract", "list", "--json")
    found = {c["name"]: c for c in json.loads(out)["contracts"]}
    equal(sorted(found), sorted([f"{e}/v1" for e in ENTITIES] + ["thing/v2"]), "contracts")
    equal(found["order/v1"]["from"], "site", "order/v1 is the site's")
    equal(found["invoice/v1"]["from"], "ferrule", "invoice/v1 ships")
    equal(found["thing/v2"]["keys"], [".number"], "keys")
    code, out, err = site.type("contract")
    check(code == 0 and "shipment/v1" in out, out, err)


@test("contract show tells every field, those of lists and of shared definitions as well")
def shown(site):
    code, out, err = site.type("contract", "show", "order/v1", "--json")
    fields = {f["field"]: f for f in json.loads(out)["fields"]}
    equal(fields["orderItem[].price.amount"]["type"], "decimal text", "type of an amount")
    check(fields["number"]["required"] and not fields["channel"]["required"], fields["number"])
    check(fields["contact.email"]["personal"] and fields["shipTo.address.city"]["personal"], fields["contact.email"])
    check(not fields["number"]["personal"], fields["number"])
    check(all(f["title"] and f["description"].endswith(".") for f in fields.values()), fields)
    code, out, err = site.type("contract", "show", "oder/v1")
    check(code == 1 and "contract list" in err, code, err)


@test("contract diff says what breaks, where and why, and ends with 1")
def breaks(site):
    write(site, "old.json", THING)
    write(site, "new.json", changed(number={"type": "string", "maxLength": 10}))
    code, out, err = site.type("contract", "diff", "old.json", "new.json")
    equal(code, 1, out)
    equal(out.splitlines(), ["breaking: maxLength.lowered at #/properties/number/maxLength (number)",
                             "  the new version takes texts of at most 10, the old one wrote up to 20",
                             "incompatible: backward, 1 breaking, 0 to look at"], "what it says")
    code, out, err = site.type("contract", "diff", "new.json", "old.json")
    equal((code, out.splitlines()[-1]), (0, "compatible: backward, 0 breaking, 0 to look at, 1 compatible (--all shows them)"), "back")


@test("contract diff as JSON names pointer, code and verdict")
def as_json(site):
    answer = verdict(site, THING, changed(note=None))
    equal([(d["code"], d["pointer"], d["in"], d["field"], d["verdict"]) for d in answer["differences"]],
          [("property.removed", "/properties/note", "old", "note", "breaking")], "differences")
    equal((answer["mode"], answer["open"], answer["breaking"]), ("backward", "strict", 1), "asked for")
    check(verdict(site, THING, changed(note=None), "--mode", "forward")["compatible"], "forward")
    check(not verdict(site, THING, changed(note=None), "--mode", "FULL")["compatible"], "full")
    check(verdict(site, THING, changed(note=None), "--mode", "none")["compatible"], "none")


@test("contract diff is strict about open content unless it is told otherwise")
def open_content(site):
    old, new = {"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    check(not verdict(site, old, new)["compatible"], "strict")
    check(verdict(site, old, new, "--open", "lenient")["compatible"], "lenient")


@test("contract diff judges by what the old version promises, unless it is told otherwise")
def promises(site):
    promised = {"x-ferrule-compatibility": "FULL", "x-ferrule-open": "lenient", "type": "object"}
    answer = verdict(site, promised, dict(promised, properties={"a": {"type": "string"}}))
    equal((answer["mode"], answer["open"], answer["compatible"]), ("full", "lenient", True), answer)
    answer = verdict(site, promised, {"type": "object", "properties": {"a": {"type": "string"}}}, "--open", "strict", "--mode", "backward")
    equal((answer["mode"], answer["open"], answer["compatible"]), ("backward", "strict", False), answer)


@test("contract show ends with a list of lists without end, and tells types; version 10 is newer than 9")
def odd_contracts(site):
    write(site, "odd.json", {"properties": {"a": {"$ref": "#/$defs/a"}, "b": {"type": ["string", "null"]}},
                             "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}})
    out = site.do("contract", "show", "./odd.json")
    check("list of list" in out and "string or null" in out, out)
    for n in (9, 10):
        write(site, f"canonical/thing/v{n}.schema.json", THING)
    check("did you mean `thing/v10`?" in site.type("contract", "show", "thing")[2], site.type("contract", "show", "thing"))


@test("contract diff compares with all versions in a transitive mode")
def transitive(site):
    for i, most in enumerate((9, 3, 5)):
        write(site, f"v{i}.json", {"maxLength": most})
    code, out, err = site.type("contract", "diff", "v0.json", "v1.json", "v2.json")
    equal(code, 0, out)
    code, out, err = site.type("contract", "diff", "--mode", "backward-transitive", "v0.json", "v1.json", "v2.json")
    check(code == 1 and "since v0.json" in out, out)


@test("contract diff takes names of contracts, and follows references to others by name and $id")
def names(site):
    write(site, "canonical/money/v1.schema.json", {"$id": "https://site.example/money/v1", "type": "string"})
    write(site, "canonical/bill/v1.schema.json", {"properties": {"total": {"$ref": "money/v1"}}})
    write(site, "canonical/bill/v2.schema.json", {"properties": {"total": {"$ref": "https://site.example/money/v1"}}})
    write(site, "canonical/bill/v3.schema.json", {"properties": {"total": {"type": "number"}}})
    code, out, err = site.type("contract", "diff", "bill/v1", "bill/v2", "--all")
    equal((code, out), (0, "compatible: backward, 0 breaking, 0 to look at\n"), "the same by name and $id")
    code, out, err = site.type("contract", "diff", "bill/v2", "bill/v3")
    check(code == 1 and "type.changed" in out, out)


@test("what is typed wrong is refused with the nearest word")
def typed_wrong(site):
    write(site, "a.json", THING)
    for words, wanted in ((["diff", "a.json"], "two versions"), (["diff", "a.json", "a.json", "--mode", "bakward"], "backward"),
                          (["diff", "a.json", "a.json", "--open", "strikt"], "strict"), (["dif", "a", "b"], "diff")):
        code, out, err = site.type("contract", *words)
        check(code == 2 and wanted in err, words, code, err)
    write(site, "broken.json", "{")
    code, out, err = site.type("contract", "diff", "a.json", "broken.json")
    check(code == 1 and "broken.json:1:" in err, err)
    write(site, "list.json", [1])
    code, out, err = site.type("contract", "diff", "a.json", "list.json")
    check(code == 1 and "a schema is an object" in err, err)
    code, out, err = site.type("contract", "diff", "a.json", "none.json", "--json")
    check(code == 1 and json.loads(err.splitlines()[-1])["code"] == "contract.unknown", err)


# ---- check --against --------------------------------------------------------------------------------------------------
def git(site, *words):
    subprocess.run(["git", "-C", site.path, "-c", "user.name=a", "-c", "user.email=a@b.example", *words], check=True,
                   stdout=subprocess.DEVNULL)


def with_history(site):
    write(site, "canonical/thing/v1.schema.json", THING)
    write(site, "canonical/idle/v1.schema.json", THING)
    write(site, "flows/intake.yaml", FLOW)
    git(site, "init", "-q")
    git(site, "add", "canonical", "flows")
    git(site, "commit", "-q", "-m", "first")
    git(site, "tag", "first")


def against(site, revision="first", *words):
    code, out, err = site.type("check", "--against", revision, "--json", *words)
    check(out, "no answer", code, err)
    told = ("contract.breaking", "contract.removed", "contract.suspect")
    findings = [f for f in json.loads(out)["findings"] if f["code"] in told]
    return code, findings


@test("a contract that there is not is told with the nearest name, or with the newest version")
def unknown_contract(site):
    write(site, "canonical/thing/v1.schema.json", THING)
    write(site, "canonical/thing/v2.schema.json", THING)
    for words, near in ((["contract", "show", "ordr/v1"], "order/v1"), (["contract", "show", "thing"], "thing/v2"),
                        (["validate", "custmer/v1"], "customer/v1"), (["contract", "diff", "thing/v1", "thign/v2"], "thing/v2")):
        code, out, err = site.type(*words, input="{}")
        check(code != 0 and f"did you mean `{near}`?" in err, words, code, out, err)
    code, _, err = site.type("validate", "something-else.json", input="{}")
    check(code != 0 and "did you mean" not in err, err)


@test("check --against says nothing while no contract changed, or only in what is compatible")
def unchanged(site):
    with_history(site)
    equal(against(site), (0, []), "unchanged")
    write(site, "canonical/thing/v1.schema.json", changed(more={"type": "string"}))
    equal(against(site), (0, []), "an optional property in a closed contract")
    write(site, "canonical/thing/v2.schema.json", changed(number={"type": "integer"}))
    equal(against(site), (0, []), "a new version")


@test("check --against finds a breaking change, with file, line, pointer and reason")
def breaking(site):
    with_history(site)
    write(site, "canonical/thing/v1.schema.json", changed(number={"type": "string", "maxLength": 10}))
    code, findings = against(site)
    equal(code, 1, findings)
    equal(len(findings), 1, findings)
    finding = findings[0]
    equal((finding["code"], finding["severity"], finding["file"]),
          ("contract.breaking", "error", "canonical/thing/v1.schema.json"), finding)
    lines = read(site.at("canonical/thing/v1.schema.json")).decode().splitlines()
    check('"maxLength": 10' in lines[finding["line"] - 1], finding, lines)
    check("#/properties/number/maxLength" in finding["message"] and "at most 10" in finding["message"], finding["message"])
    code, out, err = site.type("check", "--against", "first")
    check(code == 1 and "canonical/thing/v1.schema.json:" in out and "new version" in out, out)
    git(site, "commit", "-q", "-a", "-m", "broken")
    equal(against(site, "HEAD"), (0, []), "against itself")
    equal(against(site, "HEAD~1")[0], 1, "against its parent")


@test("check --against compares in the mode that the contract promised")
def promised(site):
    forward = dict(THING, **{"x-ferrule-compatibility": "FORWARD"})
    write(site, "canonical/none/v1.schema.json", dict(THING, **{"x-ferrule-compatibility": "NONE"}))
    write(site, "canonical/forward/v1.schema.json", forward)
    write(site, "canonical/open/v1.schema.json", {"x-ferrule-open": "lenient", "properties": {"a": {"type": "string"}}})
    with_history(site)
    write(site, "canonical/none/v1.schema.json", changed(number={"type": "integer"}))
    write(site, "canonical/open/v1.schema.json",
          {"x-ferrule-open": "lenient", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}})
    write(site, "canonical/forward/v1.schema.json", dict(changed(note=None), **{"x-ferrule-compatibility": "FORWARD"}))
    equal(against(site), (0, []), "as promised")
    write(site, "canonical/forward/v1.schema.json",
          dict(changed(more={"type": "string"}), **{"x-ferrule-compatibility": "FORWARD"}))
    code, findings = against(site)
    check(code == 1 and "property.added" in findings[0]["message"], findings)


@test("check --against warns of what registries let pass and a person should see")
def suspect(site):
    with_history(site)
    write(site, "canonical/thing/v1.schema.json", changed(note={"type": "string"}))
    code, findings = against(site)
    equal((code, [f["code"] for f in findings], findings[0]["severity"]), (0, ["contract.suspect"], "warning"), findings)
    check("personal.removed" in findings[0]["message"], findings)


@test("check --against finds contracts that are gone, and the flow that used them")
def removed(site):
    with_history(site)
    os.unlink(site.at("canonical/idle/v1.schema.json"))
    code, findings = against(site)
    equal((code, [(f["code"], f["severity"]) for f in findings]), (0, [("contract.removed", "warning")]), findings)
    os.unlink(site.at("canonical/thing/v1.schema.json"))
    site.write("flows/intake.yaml", FLOW.replace("  - validate: thing/v1\n", ""))
    code, findings = against(site)
    equal(code, 1, findings)
    gone = [f for f in findings if f["file"] == "canonical/thing/v1.schema.json"]
    check(gone[0]["severity"] == "error" and "flows/intake.yaml:6" in gone[0]["message"], gone)


@test("check --against knows that a site's own contract takes the place of one that ships")
def replaced(site):
    with_history(site)
    order = json.loads(read(os.path.join(SOURCE, "config", "canonical", "order", "v1.schema.json")))
    write(site, "canonical/order/v1.schema.json", order)
    equal(against(site), (0, []), "the same as the one that ships")
    order["properties"]["number"]["maxLength"] = 10
    write(site, "canonical/order/v1.schema.json", order)
    code, findings = against(site)
    check(code == 1 and "order/v1" in findings[0]["message"] and "maxLength" in findings[0]["message"], findings)


@test("check --against works below the top of a repository, and says what git does not know")
def places(site):
    with_history(site)
    for revision, wanted in (("no-such-branch", "knows no revision"), ("--output=x", "no revision"), ("", "no revision")):
        code, out, err = site.type("check", f"--against={revision}", "--json")
        check(code != 0 and json.loads(err.splitlines()[-1])["code"] == "git.revision" and wanted in err, revision, code, err)
    os.makedirs(site.at("below/canonical/thing"))
    os.makedirs(site.at("below/flows"))
    write(site, "below/site.yaml", read(site.at("site.yaml")).decode())
    write(site, "below/canonical/thing/v1.schema.json", THING)
    git(site, "add", "below")
    git(site, "commit", "-q", "-m", "second")
    write(site, "below/canonical/thing/v1.schema.json", changed(number={"type": "integer"}))
    code, out, err = site.type("check", site.at("below"), "--against", "HEAD", "--json")
    found = [f for f in json.loads(out)["findings"] if f["code"] == "contract.breaking"]
    check(code == 1 and found[0]["file"].endswith("canonical/thing/v1.schema.json"), found, err)


@test("check --against asks git the same few times however many files there are, and does not wait for ever")
def few_questions(site):
    with_history(site)
    bin = site.at("bin")
    os.makedirs(bin)
    asked = site.at("asked")
    site.write("bin/git", f"#!/bin/sh\necho x >> {asked}\nexec {shutil.which('git')} \"$@\"\n", 0o755)
    env = {**os.environ, "PATH": bin + ":" + os.environ["PATH"]}
    for n in range(40):
        site.write(f"canonical/many{n}/v1.schema.json", '{"type": "object"}')
    git(site, "add", "canonical")
    git(site, "commit", "-q", "-m", "many")
    os.remove(site.at("canonical/many7/v1.schema.json"))
    done = subprocess.run([FERRULE, "check", site.path, "--against", "HEAD"], capture_output=True, text=True, env=env, timeout=60)
    check("many7/v1 was removed since HEAD" in done.stdout, done.stdout, done.stderr)
    check("many8" not in "".join(line for line in done.stdout.splitlines(True) if "removed" in line), done.stdout)
    equal(len(read(asked).split()), 4, "processes of git")
    site.write("bin/git", "#!/bin/sh\nsleep 60\n", 0o755)
    began = time.monotonic()
    done = subprocess.run([FERRULE, "check", site.path, "--against", "HEAD"], capture_output=True, text=True, env=env, timeout=60)
    check(done.returncode == 1 and "git said nothing for 10 s" in done.stderr, done.returncode, done.stderr)
    check(9 < time.monotonic() - began < 25, time.monotonic() - began)


@test("check --against without a repository or without git says so")
def no_git(site):
    write(site, "canonical/thing/v1.schema.json", THING)
    environment = dict(os.environ, GIT_CEILING_DIRECTORIES="/")
    done = subprocess.run([FERRULE, "check", site.path, "--against", "HEAD"], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    check(done.returncode == 1 and b"is in no git repository" in done.stderr, done.stderr)
    done = subprocess.run([FERRULE, "check", site.path, "--against", "HEAD"], env={"PATH": "/nowhere"}, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    check(done.returncode == 1 and b"git is not installed" in done.stderr, done.stderr)


main()
