"""The decoder's process: where untrusted bytes meet FFmpeg, and nowhere else.

One process a file, forked from a warm single-threaded server (`server`), confined (`sandbox`), and
read top to bottom as the data flows: `file` → `container` → `timeline` → `downmix` → `resample` →
`voice`, driven by `worker`, out over `wire`. Nothing here is imported by the caller's process but
`wire` and `job`.
"""
