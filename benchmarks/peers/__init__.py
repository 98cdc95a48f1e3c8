"""The servers that `benchmarks.form_route` runs beside ours, each in an environment of its own.

`make peers` installs them, with what each pins in its `.txt`.
"""
