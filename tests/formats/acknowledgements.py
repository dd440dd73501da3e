#!/usr/bin/env python3
"""Are acknowledgements of EDI documents what the standards' guides ask for? Prints TAP.

acknowledgements/NAME.edi is what came, NAME.HOW.edi what was worked out by hand to answer it; none: nothing answers it.
Dates and times of the answer are masked. Every answer must be valid under the grammar that ships."""
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("FERRULE_SRCDIR") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BUILD = os.environ.get("FERRULE_BUILDDIR") or os.path.join(SOURCE, "build", "dev")
FERRULE = os.path.join(os.path.abspath(BUILD), "ferrule")
ENVIRONMENT = dict(os.environ, FERRULE_DATA=os.path.join(os.path.abspath(SOURCE), "config"))
HERE = os.path.join(SOURCE, "tests", "formats", "acknowledgements")
ALL = "check=[structure, codes, balance]"
CASES = [
    ("x12-mixed", "997", [ALL]), ("x12-mixed", "999", [ALL]), ("x12-mixed", "ta1", [ALL]),
    ("x12-mixed", "997-syntax", []),
    ("x12-mixed", "997-accept", [ALL, "accept=[structure, codes]"]),
    ("x12-cut", "997", []), ("x12-long", "ta1", []), ("x12-long", "997", []), ("x12-asked", "997", [ALL]), ("x12-acknowledgement", "997", [ALL]),
    ("x12-5010", "997", [ALL]), ("x12-5010", "999", [ALL]),
    ("x12-guide", "999", [ALL, "grammars=[guide.yaml]"]),
    ("x12-guide", "997", [ALL, "grammars=[guide.yaml]"]),
    ("edifact-mixed", "contrl", [ALL]), ("edifact-mixed", "contrl-receipt", ["receipt=true"]),
    ("x12-empty", "997", []), ("edifact-empty", "contrl", []),
    ("edifact-groups", "contrl", [ALL]), ("edifact-cut", "contrl", []), ("edifact-contrl", "contrl", [])]


def ferrule(*words):
    return subprocess.run([FERRULE, *words], cwd=HERE, env=ENVIRONMENT, capture_output=True, text=True, check=False)


def masked(text):
    text = re.sub(r"(?m)^(ISA(?:\*[^*]*){8})\*\d{6}\*\d{4}", r"\1*DATE*TIME", text)
    text = re.sub(r"(?m)^(GS(?:\*[^*]*){3})\*\d{8}\*\d{4}", r"\1*DATE*TIME", text)
    return re.sub(r"(?m)^(UNB(?:\+[^+]*){3})\+\d{6,8}:\d{4}", r"\1+DATE:TIME", text)


def run(name, how, settings):
    """What is wrong; nothing: it is as it must be."""
    form = name.split("-")[0]
    words = [word for setting in settings for word in ("--set", setting)]
    answer = ferrule("edi", "acknowledge", form, "--as", how.split("-")[0], "--control", "7", *words, name + ".edi")
    expected = os.path.join(HERE, "%s.%s.edi" % (name, how))
    if "--write" in sys.argv and answer.stdout:
        with open(expected, "w", encoding="utf-8") as file:
            file.write(masked(answer.stdout))
    if answer.returncode:
        return "exit code %d: %s" % (answer.returncode, answer.stderr)
    if not os.path.exists(expected):
        return "it was answered: " + answer.stdout if answer.stdout else ""
    with open(expected, encoding="utf-8") as file:
        if masked(answer.stdout) != file.read():
            return answer.stdout
    with tempfile.NamedTemporaryFile("w", suffix=".edi", encoding="utf-8") as file:
        file.write(answer.stdout)
        file.flush()
        judged = ferrule("decode", form, "--set", ALL, file.name)
    return judged.stderr if judged.returncode or judged.stderr else ""


def main():
    failed = 0
    print("1..%d" % len(CASES))
    for number, (name, how, settings) in enumerate(CASES, 1):
        wrong = run(name, how, settings)
        failed += bool(wrong)
        print("%s %d %s is answered by %s" % ("not ok" if wrong else "ok", number, name, how))
        for line in wrong.splitlines():
            print("# " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
