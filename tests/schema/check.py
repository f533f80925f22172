#!/usr/bin/env python3
"""Holds what `stagebox schema` prints to a validator that is not ours.

check.py STAGEBOX SOURCE: the schema is one, accepts the pipelines that are right, and refuses a key that nobody knows,
wherever it stands. Names each difference; ends with 1 if there is one.
"""

import copy
import json
import pathlib
import subprocess
import sys
import tomllib

import jsonschema

RIGHT = [
    "tests/golden/every-key/stagebox.toml",
    "tests/owners/stagebox.toml",
    "tests/vm/stagebox.toml",
    "stages/recipes/ailinux-live/stagebox.toml",
]
# Wrong by themselves, without a look at other stages, files or variables.
WRONG_VALUES = [
    "device-unknown", "env-number", "errors-boolean", "errors-unknown", "from-missing", "from-not-string",
    "grace-not-a-time", "ids-unknown", "limit-not-a-time", "limit-without-unit", "limit-wrong-memory", "name-missing",
    "network-misspelt", "nothing-to-do", "on-disconnect-unknown", "optional-not-boolean", "profile-not-string", "project-absolute", "project-down",
    "requires-name-missing", "requires-not-array", "requires-number", "requires-start-not-boolean",
    "retry-class-of-no-command", "retry-class-unknown", "retry-max-zero", "retry-wait-without-unit", "run-number",
    "run-string", "script-and-run", "service-name-missing", "service-not-array", "service-port", "service-ready-empty",
    "service-ready-two", "service-run-missing", "service-timeout-without-unit", "stage-name-reserved", "var-number",
    "version-missing", "version-string",
]


def closed_tables(schema, value, path=()):
    """The path of each table in `value` that has only keys which the schema names."""
    for choice in schema.get("anyOf", []):
        if not list(jsonschema.Draft202012Validator(choice).iter_errors(value)):
            yield from closed_tables(choice, value, path)
    if isinstance(value, dict):
        if schema.get("additionalProperties") is False:
            yield path
        for key, inner in value.items():
            below = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if isinstance(below, dict):
                yield from closed_tables(below, inner, (*path, key))
    elif isinstance(value, list) and "items" in schema:
        for index, inner in enumerate(value):
            yield from closed_tables(schema["items"], inner, (*path, index))


def with_unknown_key(pipeline, path):
    changed = copy.deepcopy(pipeline)
    table = changed
    for step in path:
        table = table[step]
    table["unknown-key"] = "x"
    return changed


def check(program, source):
    schema = json.loads(subprocess.run([program, "schema"], check=True, capture_output=True, text=True).stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    read = lambda name: tomllib.loads((source / name).read_text())
    for name in RIGHT:
        for error in validator.iter_errors(read(name)):
            yield f"{name} is right and refused: {error.json_path}: {error.message}"
    complete = read(RIGHT[0])
    paths = list(closed_tables(schema, complete))
    if len(paths) < 21:
        yield f"only {len(paths)} tables of {RIGHT[0]} are closed"
    for path in paths:
        if validator.is_valid(with_unknown_key(complete, path)):
            yield f"an unknown key in {'.'.join(map(str, path)) or 'the top'} is accepted"
    cases = source / "tests/golden/pipeline-errors"
    unknown = [case.parent.name for case in cases.glob("*/expected.txt") if "unknown key" in case.read_text()]
    for name in WRONG_VALUES + unknown:
        if validator.is_valid(read(cases / name / "stagebox.toml")):
            yield f"{name} is wrong and accepted"


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: check.py STAGEBOX SOURCE")
    differences = list(check(sys.argv[1], pathlib.Path(sys.argv[2])))
    for line in differences:
        print(f"schema: {line}")
    sys.exit(1 if differences else 0)


main()
