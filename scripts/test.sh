#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# All tests: bash scripts/test.sh [pytest arguments]. FACEDETAIL_DATA names the folder of test data; without it the
# tests that need it are skipped and say so.
set -eu

. "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec "$VENV_PYTHON" -m pytest "$@"
