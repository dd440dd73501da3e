# Every test prints TAP; the driver counts each test point. Fragments, one for each area, add their programs.
TEST_LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(TEST_LOG_DRIVER)
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/support/tap.sh
EXTRA_DIST += tests/support/tap.sh tests/lsan.supp
AM_TESTS_ENVIRONMENT = CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
  FERRULE_SRCDIR='$(abs_top_srcdir)'; export FERRULE_SRCDIR; FERRULE_BUILDDIR='$(abs_top_builddir)'; export FERRULE_BUILDDIR; \
  LSAN_OPTIONS='suppressions=$(abs_top_srcdir)/tests/lsan.supp:print_suppressions=0'; export LSAN_OPTIONS; \
  UBSAN_OPTIONS=print_stacktrace=1; export UBSAN_OPTIONS;
CHECK_LIBS = tests/support/libsupport.a $(LAYERS) $(LIBS_FOREIGN) $(CMOCKA_LIBS)
check_LIBRARIES =
dist_check_SCRIPTS =

include tests/base.mk
include tests/transformers.mk
include tests/config.mk
include tests/contracts.mk
include tests/queue.mk
include tests/store.mk
include tests/amqp.mk
include tests/file.mk
include tests/ftp.mk
include tests/sftp.mk
include tests/mail.mk
include tests/alerts.mk
include tests/http.mk
include tests/services.mk
include tests/cli.mk
include tests/testing.mk
include tests/docs.mk
include tests/crash.mk
include tests/bench.mk
include tests/lint.mk
include tests/xml.mk
include tests/mft.mk
include tests/files.mk
include tests/fuzz.mk
include tests/formats.mk

# Folders of examples that programs are built in, too: what was built is not part of a release.
dist-hook:
	cd "$(distdir)" && find tests/broken tests/golden -type f | while read -r file; do \
	  test -e "$(abs_srcdir)/$$file" || rm -f "$$file"; done
