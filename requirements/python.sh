# Sourced by the scripts of bin/: enters the checkout, keeps bytecode, and finds a Python to make .venv with.
cd "$(dirname "$0")/.." || exit 1

# One run starts a dozen processes; where the machine forbids bytecode, each would spend seconds on compiling the same again.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="$PWD/var/bytecode"

first_between() {
    for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.14 python3.13 python}; do
        if "$candidate" -c "import sys; sys.exit(not ($1) <= sys.version_info[:2] <= ($2))" 2>/dev/null; then
            python=$candidate
            return
        fi
    done
}

python=
first_between "3, 11" "3, 12" # for these a package carries Redis
[ -n "$python" ] || first_between "3, 11" "3, 99"
if [ -z "$python" ]; then
    found=$(${PYTHON:-python3} --version 2>&1) || found="no Python"
    echo "Python 3.11 or newer is needed and this is $found: install it, or set PYTHON=/path/to/python3.11." >&2
    exit 1
fi
