#!/usr/bin/env python3
"""Does the runner of the guides' examples find what is wrong in one? Prints TAP."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
FLOW = "```yaml\nflow: a\n%s: me\nfrom: {file: 'in/*.json'}\nsteps:\n  - decode: json\n  - map: x.jq\npublish: thing.done.v1\n```\n"
JQ = '```json input\n{"a": [1, 2]}\n```\n```jq\n%s\n```\n```json output\n3\n```\n'

CASES = [  # what it shows, a guide, what the report says or None: it is right
    ("a command that says what the guide says", "```console\n$ echo a b\na b\n```\n", None),
    ("a command that says something else", "```console\n$ echo a b\na c\n```\n", "said:   a b"),
    ("`...` stands for any lines and for a part of one", "```console\n$ printf '1\\n2\\nab 17 cd\\n'\n...\nab ... cd\n```\n", None),
    ("what `...` does not cover", "```console\n$ printf '1\\n2\\nab 17 cd\\n'\n...\nab ... ce\n```\n", "said:   ab 17 cd"),
    ("a command that fails", "```console\n$ false\n```\n", "exit code 1, not 0"),
    ("a command that should fail", "```console\n$ false\n[1]\n```\n", None),
    ("an exit code that does not come", "```console\n$ true\n[1]\n```\n", "exit code 0, not 1"),
    ("lines that go on, and a directory that stays", "```console\n$ cat > x <<'END'\n> one\n> END\n$ mkdir y; cd y\n```\n```console\n$ cat ../x\none\n```\n", None),
    ("a new site", "<!-- site: order-to-cash -->\n```console\n$ ferrule check\n.: no errors\n```\n", None),
    ("a site that there is no template for", "<!-- site: nonsense -->\n", "there is no template"),
    ("a flow", FLOW % "owner", None),
    ("a flow with a slip", FLOW % "ownr", "did you mean `owner`"),
    ("a part of a flow", "```yaml\nsteps:\n  - decode: x12\n```\n", None),
    ("a step that there is not", "```yaml\n- decod: x12\n```\n", "did you mean `decode`"),
    ("a part of site.yaml with a slip", "```yaml\nretention: {originls: 3d}\n```\n", "did you mean `originals`"),
    ("a mapping that gives what stands there", JQ % ".a | add", None),
    ("a mapping that gives something else", JQ % ".a | length", "it gives [2]"),
    ("a mapping that does not compile", "```jq\n.a |\n```\n", "jq"),
    ("a mapping that should fail", '```json input\n{"a": 1}\n```\n```jq\n.a | error("no \\(.)")\n```\n```text error\nno 1\n```\n', None),
    ("a document that a contract allows", '```json valid order/v1\n{"a": 1}\n```\n', "not valid"),
    ("JSON that is none", '```json\n{"a": 1,}\n```\n', "Expecting property name"),
    ("a file of the site, for what follows", "```csv tables/a.csv\nx,y\n```\n```console\n$ cat tables/a.csv\nx,y\n```\n", None),
    ("what is left running", "```console\n$ sleep 60 &\n```\n", "leaves nothing running"),
    ("a block that is left out without a reason", "<!-- docs: skip: -->\n```console\n$ false\n```\n", "REASON"),
    ("a block that is left out", "<!-- docs: skip: takes an hour -->\n```console\n$ false\n```\n", None),
]


def run(guide, *options):
    done = subprocess.run([sys.executable, os.path.join(HERE, "run.py"), *options, guide], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def main():
    bad = 0
    with tempfile.TemporaryDirectory(prefix="ferrule-docs-self-") as work:
        guide = os.path.join(work, "guide.md")
        for number, (name, text, wanted) in enumerate(CASES, 1):
            with open(guide, "w", encoding="utf-8") as file:
                file.write("# A guide\n\n" + text)
            code, said = run(guide)
            good = code == 0 and "not ok" not in said and "1..0" not in said if wanted is None else code == 1 and wanted in said
            bad += not good
            print(f"{'ok' if good else 'not ok'} {number} {name}")
            for line in [] if good else said.splitlines():
                print("# " + line.replace("not ok", "not-ok"))
        with open(guide, "w", encoding="utf-8") as file:
            file.write("```console\n$ echo a\nb\n$ echo c; false\nc...\n[1]\n```\n")
        run(guide, "--update")
        with open(guide, encoding="utf-8") as file:
            text = file.read()
        good = text == "```console\n$ echo a\na\n$ echo c; false\nc...\n[1]\n```\n" and run(guide)[0] == 0
        print(f"{'ok' if good else 'not ok'} {len(CASES) + 1} --update puts in what was said, where it differs")
    print(f"1..{len(CASES) + 1}")
    return 1 if bad or not good else 0


if __name__ == "__main__":
    sys.exit(main())
