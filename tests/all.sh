#!/bin/sh
# All that must hold before a change goes in, quick things first; the first stage that fails ends it.
# `make test` runs it. BIN: where the tools are; JOBS: tests side by side; WORLDS: how many to simulate.
BIN=${BIN:-.venv/bin} JOBS=${JOBS:-2} WORLDS=${WORLDS:-50}
began=$(date +%s)
summary=

stage() {
  name=$1
  shift
  echo
  echo "== $name: $*"
  stage_began=$(date +%s)
  "$@"
  code=$?
  took=$(($(date +%s) - stage_began))
  if [ $code -ne 0 ]; then
    printf '%s\n\nFAILED: %s (exit code %s) after %s s\n' "$summary" "$name" "$code" "$took"
    exit 1
  fi
  summary="$summary
  ok  $name, $took s"
}

stage "lint" "$BIN/ruff" check .
stage "layout" "$BIN/ruff" format --check .
stage "types" "$BIN/mypy"
stage "dead code" "$BIN/vulture"
stage "unit and contract tests" "$BIN/python" -m pytest -q -n "$JOBS" --durations 25 --durations-min 3 -m "not e2e"
stage "simulation" "$BIN/python" -m tests.sim --worlds "$WORLDS"
# These mostly wait for the clock, so five go side by side; the crowd wants both cores for itself.
stage "a crowd of jobs" "$BIN/python" -m pytest -q -m e2e tests/e2e/test_crowd.py
stage "end-to-end tests" "$BIN/python" -m pytest -q -n 5 --dist load -m e2e --ignore tests/e2e/test_crowd.py
printf '%s\n\nALL PASSED in %s s\n' "$summary" "$(($(date +%s) - began))"
