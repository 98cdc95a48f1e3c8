"""The decoder's process: the only place where untrusted bytes reach FFmpeg.

Each process is forked from a warm single-threaded server (`server`), confined (`sandbox`), and
decodes files of one caller (`worker`). The data passes through the modules in this order: `file`,
`chain` (of recordings in one file), `container`, `frame`, `timeline`, `resample` (downmix, then
sample rate), `silero` (with `silero_weights` and the network, `silero_network` or its
`silero_kernel`). `sandboxed_decode` connects them, `notices` and `refusal` explain what is lost,
and `messages` carries the result. The caller's process imports `messages` only.
"""
