"""`voxgate` and `python -m voxgate`: the command line."""

# ruff: noqa: PLC0415 (what takes long to import comes after SIGINT has been seen to)

import signal


def main() -> None:
    """Run the command line. Ctrl-C ends it at once until there is something to close."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from voxgate.cli import main as run

    run()


if __name__ == "__main__":
    main()
