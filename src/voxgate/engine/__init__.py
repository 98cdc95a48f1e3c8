"""The engine: a process that loads one model and serves it over HTTP on a Unix socket."""
