EXTRA_DIST += CONTRIBUTING.md
EXTRA_DIST += docs/adapters-file.md
