# SPDX-License-Identifier: GPL-3.0-or-later
# Sourced by the other scripts: goes to the repository, makes .venv with the pinned requirements when it is missing or
# out of date, and sets VENV_PYTHON. PYTHON names another Python 3.11. The tests of --cluster need its requirements, too.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
VENV_PYTHON="$PWD/.venv/bin/python"
REQUIREMENTS=(requirements.txt scripts/requirements-cluster.txt)

ready_stamp() {
    local program='import hashlib, sys
hashes = [hashlib.sha256(open(path, "rb").read()).hexdigest() for path in sys.argv[1:]]
print(sys.version_info[:2], *hashes)'
    "$VENV_PYTHON" -c "$program" "${REQUIREMENTS[@]}" 2>/dev/null
}

make_venv() {
    local python="${PYTHON:-python3.11}"
    if ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
        echo "error: Python 3.11 is needed, and '$python' is not it." >&2
        echo "try: Install Python 3.11 (with its venv module), or name it: PYTHON=/path/to/python3.11 bash $0" >&2
        exit 2
    fi
    "$python" -m venv --clear .venv
}

install_requirements() {
    echo "Installing the pinned requirements into .venv (once; some minutes)" >&2
    "$VENV_PYTHON" -m pip install --disable-pip-version-check --quiet --no-deps "${REQUIREMENTS[@]/#/-r}" >&2
    # The public index's torch for Linux needs CUDA libraries beside it, which differ by version; a CPU build needs none.
    "$VENV_PYTHON" -m pip install --disable-pip-version-check --quiet -c requirements.txt torch >&2
}

if ! "$VENV_PYTHON" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
    make_venv
fi
if [ "$(cat .venv/.requirements-installed 2>/dev/null)" != "$(ready_stamp)" ]; then
    install_requirements
    ready_stamp > .venv/.requirements-installed
fi
