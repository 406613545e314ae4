# Shared by scripts/check and scripts/demo; sets $root, and $venv with make_venv.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '\n== %s\n' "$*" >&2; }

# The first Python that is new enough: $PYTHON, or one of the usual names.
find_python() {
    local name
    for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.10}; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "no Python 3.10 or later among: ${PYTHON:-python3 python3.10 ... python3.13}" >&2
    return 1
}

# make_venv FOLDER EXTRA: the virtual environment $root/FOLDER with asha-bus[EXTRA], editable, and
# everything in the version of dev.lock. Made once, and brought up to date with either file.
make_venv() {
    venv=$root/$1
    local lock=$root/scripts/lib/dev.lock
    if ! cat "$root/pyproject.toml" "$lock" | cmp -s - "$venv/installed"; then
        say "installing into $1 (about a minute the first time)"
        if [[ ! -x $venv/bin/python ]]; then
            local python
            python=$(find_python)
            "$python" -m venv "$venv"
        fi
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
            -c "$lock" -e "$root[$2]"
        cat "$root/pyproject.toml" "$lock" >"$venv/installed"
    fi
}
