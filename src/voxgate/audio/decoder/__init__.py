"""The decoder's process: where untrusted bytes meet FFmpeg, and nowhere else.

One process a file, forked from a warm single-threaded server (`server`), confined (`sandbox`), and
read as the data flows: `file` → `container` → `timeline` → `downmix` → `resample` → `voice`, where
`worker` drives the first three, `sound` the others, and `wire` carries the result. The caller's
process imports nothing of it but `wire` and `job`.
"""
