# Sourced by the scripts of bin/: enters the checkout and finds a Python to make .venv with.
cd "$(dirname "$0")/.." || exit 1
python=
for candidate in ${PYTHON:-python3} python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Python 3.11 or newer is needed; found: $(python3 --version 2>&1 || echo none). Set PYTHON=/path/to/python3.11." >&2
    exit 1
fi
