EXTRA_DIST += CONTRIBUTING.md .ci/run .clang-format
EXTRA_DIST += docs/ARCHITECTURE.md docs/adapters-file.md docs/adapters-http.md docs/decisions.md docs/editor.md docs/operating.md docs/performance.md docs/steps.md

# The reference is kept, so that it can be read without building: `make docs` writes it anew, tests/docs/made.sh compares it.
REFERENCE = docs/reference/cli.md docs/reference/findings.md docs/reference/site.md docs/reference/steps.md
EXTRA_DIST += $(REFERENCE)
docs: ferrule$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(srcdir)/docs/reference && for page in $(REFERENCE); do \
	  ./ferrule$(EXEEXT) help --markdown `basename $$page .md` > $(srcdir)/$$page || exit 1; done
.PHONY: docs

# Manual pages and the shells' completion come from the program that was built. tests/docs/made.sh looks for a page of every verb.
MANUAL = docs/man/ferrule.1 docs/man/ferrule-site.5 \
  docs/man/ferrule-check.1 docs/man/ferrule-completion.1 docs/man/ferrule-dead.1 docs/man/ferrule-decode.1 \
  docs/man/ferrule-doubt.1 docs/man/ferrule-encode.1 docs/man/ferrule-hold.1 docs/man/ferrule-init.1 \
  docs/man/ferrule-log.1 docs/man/ferrule-map.1 docs/man/ferrule-replay.1 docs/man/ferrule-resume.1 \
  docs/man/ferrule-run.1 docs/man/ferrule-schema.1 docs/man/ferrule-send.1 docs/man/ferrule-status.1 \
  docs/man/ferrule-test.1 docs/man/ferrule-trace.1 docs/man/ferrule-validate.1 docs/man/ferrule-version.1
nodist_man_MANS = $(MANUAL)
CLEANFILES += $(MANUAL) docs/man/made
$(MANUAL): docs/man/made
docs/man/made: ferrule$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) docs/man && for page in $(MANUAL); do \
	  ./ferrule$(EXEEXT) help --man `basename $$page | sed 's/\.[15]$$//; /^ferrule-site$$/!s/^ferrule-//'` > $$page || exit 1; done && touch $@

completion_bashdir = $(datadir)/bash-completion/completions
nodist_completion_bash_DATA = docs/completion/bash/ferrule
completion_zshdir = $(datadir)/zsh/site-functions
nodist_completion_zsh_DATA = docs/completion/zsh/_ferrule
completion_fishdir = $(datadir)/fish/vendor_completions.d
nodist_completion_fish_DATA = docs/completion/fish/ferrule.fish
COMPLETION = $(nodist_completion_bash_DATA) $(nodist_completion_zsh_DATA) $(nodist_completion_fish_DATA)
CLEANFILES += $(COMPLETION)
$(COMPLETION): ferrule$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && ./ferrule$(EXEEXT) completion `basename $(@D)` > $@.new && mv $@.new $@
