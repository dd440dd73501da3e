EXTRA_DIST += CONTRIBUTING.md .ci/run .clang-format
EXTRA_DIST += docs/transfers.md docs/sftp.md docs/adapters-ftp.md
EXTRA_DIST += docs/adapters-syslog.md docs/runbooks/key-expiring.md docs/runbooks/virus-found.md
EXTRA_DIST += docs/ARCHITECTURE.md docs/adapters-file.md docs/adapters-http.md docs/adapters-mail.md docs/alerts.md docs/checking.md docs/contracts.md docs/decisions.md docs/editor.md docs/flows.md docs/getting-started.md docs/mappings.md docs/formats.md docs/grammars.md docs/operating.md docs/performance.md docs/steps.md docs/testing.md

EXTRA_DIST += docs/runbooks/README.md docs/runbooks/bank-file-missing.md docs/runbooks/broker-minority.md docs/runbooks/disk-full.md \
  docs/runbooks/erp-down.md docs/runbooks/failed-upgrade.md docs/runbooks/poison-message.md docs/runbooks/restore.md

# The reference is kept, so that it can be read without building: `make docs` writes it anew, the lint compares it.
REFERENCE = docs/reference/cli.md docs/reference/errors.md docs/reference/findings.md docs/reference/site.md docs/reference/steps.md
EXTRA_DIST += $(REFERENCE)
docs: ferrule$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(srcdir)/docs/reference && for page in $(REFERENCE); do \
	  ./ferrule$(EXEEXT) help --markdown `basename $$page .md` > $(srcdir)/$$page || exit 1; done
.PHONY: docs

# A page for each contract that ships, kept for the same reason: tests/cli/contracts.py compares it.
CONTRACT_PAGES = docs/contracts/asset.md docs/contracts/case.md docs/contracts/contract.md \
  docs/contracts/customer.md docs/contracts/entitlement.md docs/contracts/inventory.md \
  docs/contracts/invoice.md docs/contracts/opportunity.md docs/contracts/order.md docs/contracts/payment.md \
  docs/contracts/price.md docs/contracts/product.md docs/contracts/shipment.md docs/contracts/statement.md \
  docs/contracts/subscription.md
EXTRA_DIST += $(CONTRACT_PAGES)
docs: docs-contracts
docs-contracts: ferrule$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(srcdir)/docs/contracts && for page in $(CONTRACT_PAGES); do \
	  ./ferrule$(EXEEXT) contract show `basename $$page .md`/v1 --markdown > $(srcdir)/$$page || exit 1; done
.PHONY: docs-contracts

# Manual pages and the shells' completion come from the program that was built.
man1dir = $(mandir)/man1
man5dir = $(mandir)/man5
all-local: docs/man/made
docs/man/made: ferrule$(EXEEXT)
	$(AM_V_GEN)rm -rf docs/man && $(MKDIR_P) docs/man && for page in `./ferrule$(EXEEXT) help --man`; do \
	  case $$page in ferrule) file=ferrule.1 ;; ferrule-site) file=ferrule-site.5 ;; *) file=ferrule-$$page.1 ;; esac; \
	  ./ferrule$(EXEEXT) help --man $$page > docs/man/$$file || exit 1; done && touch $@
install-data-local: docs/man/made
	$(MKDIR_P) "$(DESTDIR)$(man1dir)" "$(DESTDIR)$(man5dir)"
	$(INSTALL_DATA) docs/man/*.1 "$(DESTDIR)$(man1dir)"
	$(INSTALL_DATA) docs/man/*.5 "$(DESTDIR)$(man5dir)"
uninstall-local:
	rm -f "$(DESTDIR)$(man1dir)"/ferrule.1 "$(DESTDIR)$(man1dir)"/ferrule-*.1 "$(DESTDIR)$(man5dir)"/ferrule-site.5
clean-local:
	rm -rf docs/man

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
