"""Golden tests: what users, clients and other programs see, recorded before a change.

Each part (`api`, `commands`, `settings`, `home`, `engine`, `weights`) collects cases through HTTP,
the command line or files. A case has two halves, in two files of `tests/data/golden`:

    api.json         structure: status, headers, keys, values, option names, exit codes
    api.prose.json   sentences for people: error messages, help texts, descriptions

    python -m tests.golden.record --prose        record the sentences; refuses a new structure
    python -m tests.golden.record                record everything again, structure included
    python -m tests.golden.record --new-home     the same, and a new old home, for a new format

A part's name behind the command records that part alone.
"""
