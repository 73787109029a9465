#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# schema.sh - validates podhop's JSON against the project's own schemas (TAP).
#
#   tests/cli/schema.sh [FILE...]      *.jsonl: a document a line
#
# Without FILE: the golden files, and what podhop makes of each sample and of this machine.
#
# A document says by its first key which schema it is for: "podhop.report/1" is
# src/report/schema/podhop.report-1.schema.json. The test is stricter than the
# schema: keys that the schema does not name, and keys in another order, fail too.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
PYTHON=${PYTHON:-/usr/bin/python3}
if ! "$PYTHON" -c 'import jsonschema' 2>/dev/null; then
	echo '1..0 # skip python3-jsonschema is not installed'
	exit 0
fi
# made NAME COMMAND...: podhop's output, whatever its verdict
made() {
	name=$made/$1
	shift
	"$podhop" "$@" >"$name" 2>"$made/err" || [ $? -ge 3 ] || {
		echo "Bail out! podhop $*: $(cat "$made/err")"
		exit 1
	}
}

if [ $# -eq 0 ]; then
	podhop=${PODHOP:-${BUILD:-$root/build}/podhop}
	made=$(mktemp -d)
	trap 'rm -rf "$made"' EXIT
	cd "$root"
	for f in samples/*.pcapng; do
		s=${f##*/}
		made "report-${s%.pcapng}.jsonl" report -q -T jsonl "$f"
		made "verify-${s%.pcapng}.json" verify -q --json "$f"
	done
	made verify-two.json verify -q --json "a=samples/loss.pcapng" "b=samples/remote.pcapng"
	made list.json list --json
	made doctor.json doctor --json
	set -- "$made"/*.json "$made"/*.jsonl
	for f in "$root"/tests/data/*/*.json "$root"/tests/data/*/*.jsonl; do
		# Other data of tests is JSON as well, but not ours.
		if head -c 100 "$f" | grep -q '"schema":'; then
			set -- "$@" "$f"
		fi
	done
fi
"$PYTHON" - "$root" "$@" <<'PY'
import json, os, sys
import jsonschema

SCHEMAS = os.path.join(sys.argv[1], "src/report/schema")
cache = {}


def schema_of(name):
    if name not in cache:
        path = os.path.join(SCHEMAS, name.replace("/", "-") + ".schema.json")
        with open(path, encoding="utf-8") as f:
            schema = json.load(f)
        jsonschema.Draft202012Validator.check_schema(schema)
        cache[name] = schema
    return cache[name]


def strict(schema, value, root, where):
    """Names and order of keys; what validate() lets pass."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, dict) and "properties" in schema:
        want, have = list(schema["properties"]), list(value)
        if have != want:
            raise ValueError(f"{where}: keys {have}, schema has {want}")
        for key in have:
            strict(schema["properties"][key], value[key], root, f"{where}.{key}")
    elif isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            strict(schema["items"], item, root, f"{where}[{i}]")
    elif isinstance(value, float) and "number" not in schema.get("type", ()):
        raise ValueError(f"{where}: {value} is no integer")


def no_duplicates(pairs):
    if len({k for k, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


def check(text):
    doc = json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    if not isinstance(doc, dict) or next(iter(doc), None) != "schema":
        raise ValueError("the first key is not schema")
    schema = schema_of(doc["schema"])
    checker = jsonschema.FormatChecker()
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(doc)
    strict(schema, doc, schema, "$")


failed = 0
files = sys.argv[2:]
print(f"1..{len(files)}")
for n, name in enumerate(files, 1):
    try:
        with open(name, encoding="utf-8", errors="strict") as f:
            texts = f.read().rstrip("\n").split("\n") if name.endswith(".jsonl") else [f.read()]
        for line, text in enumerate(texts, 1):
            try:
                check(text)
            except jsonschema.ValidationError as e:
                raise ValueError(f"line {line}: {e.json_path}: {e.message}") from e
            except ValueError as e:
                raise ValueError(f"line {line}: {e}") from e
        print(f"ok {n} - {name}")
    except (OSError, ValueError, KeyError) as e:
        failed += 1
        print(f"not ok {n} - {name}\n# {e}")
sys.exit(failed != 0)
PY
