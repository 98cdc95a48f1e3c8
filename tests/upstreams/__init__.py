"""A whole server before real upstreams, each behind a proxy that injects faults."""
