# Sourced by the scripts beside it, which set $root first. `environment base` or
# `environment dev` leaves in $python an interpreter that has all caplab needs,
# set up on first use; when nothing changed it compares one file and is done.

# The user's own folder for what cannot or should not stand in the checkout.
cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/caplab

# current VENV EXTRA: was it set up for this checkout, this interpreter, this
# pyproject.toml? environment.py writes the same bytes.
current() {
    interpreter=$(readlink -f "$1/bin/python") && [ -x "$interpreter" ] &&
        [ "$interpreter" = "${wanted:-$interpreter}" ] &&
        { printf '%s\n' "$root" "$interpreter" && cat "$root/pyproject.toml"; } |
        cmp -s - "$1/.caplab-$2"
}

# The first interpreter that is new enough; or say what to install.
find_python() {
    for found in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        "$found" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
    done
    found=${PYTHON:-python3}
    if version=$("$found" -V 2>&1); then
        echo "caplab: $found is $version, and caplab needs Python 3.11 or newer."
    else
        echo "caplab: $found is not installed; caplab needs Python 3.11 or newer."
    fi >&2
    echo "  Debian, Ubuntu: apt install python3 python3-venv    Fedora: dnf install python3" >&2
    echo "  One that stands elsewhere: PYTHON=/path/to/python3.12 $0 ..." >&2
    exit 1
}

environment() {
    venv=$root/.venv
    wanted=
    if [ -n "${PYTHON:-}" ]; then # asked for by name: an environment of its own
        find_python
        venv=$venv-${PYTHON##*/}
        wanted=$("$found" -I -c 'import os, sys; print(os.path.realpath(sys._base_executable))')
    fi
    if ! current "$venv" "$1"; then
        # A checkout that this user may not write to is served from the cache.
        spare=$cache/${venv##*/}-$(printf %s "$root" | cksum | cut -d ' ' -f 1)
        if current "$spare" "$1"; then
            venv=$spare
        else
            [ -n "$wanted" ] || find_python
            venv=$("$found" -I -B "$root/scripts/environment.py" \
                "$root" "$1" "$venv" "$spare" "$wanted") || exit
        fi
    fi
    python=$venv/bin/python
}
