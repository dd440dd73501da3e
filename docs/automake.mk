EXTRA_DIST += CONTRIBUTING.md
EXTRA_DIST += docs/adapters-file.md
EXTRA_DIST += docs/steps.md
EXTRA_DIST += docs/adapters-http.md
