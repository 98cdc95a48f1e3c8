"""The decoder's process: the only place where untrusted bytes reach FFmpeg.

Each file has a process of its own, which is forked from a warm single-threaded server (`server`)
and confined (`sandbox`). The data passes through the modules in this order: `file`, `chain` (of
recordings in one file), `container`, `frame`, `timeline`, `resample` (downmix, then sample rate),
`silero`. `sandboxed_decode` connects them, `notices` and `refusal` explain what is lost, and
`messages` carries the result. The caller's process imports `messages` only.
"""
