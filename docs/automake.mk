EXTRA_DIST += CONTRIBUTING.md .ci/run .clang-format
EXTRA_DIST += docs/ARCHITECTURE.md docs/adapters-file.md docs/adapters-http.md docs/decisions.md docs/editor.md docs/operating.md docs/performance.md docs/steps.md
