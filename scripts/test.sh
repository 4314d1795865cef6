#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# bash scripts/test.sh [pytest arguments]: style, then all tests, files side by side.
# bash scripts/test.sh --quick [pytest arguments]: what needs neither Blender nor networks, under a minute.
# FACEDETAIL_DATA names the folder of test data; without it the tests that need it are skipped and say so.
set -eu

. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

if [ "${1:-}" = "--quick" ]; then
    shift
    set -- blender_tests/quick "$@"
fi
"$VENV_PYTHON" -m ruff check --quiet .
"$VENV_PYTHON" -m ruff format --check --quiet .
# One thread for each process: over small matrices more only wait for each other.
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
exec "$VENV_PYTHON" -m pytest --numprocesses "${TEST_PROCESSES:-auto}" --dist loadfile "$@"
