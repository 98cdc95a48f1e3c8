"""`voxgate` and `python -m voxgate`: the command line."""

# ruff: noqa: PLC0415 (slow imports follow the handling of SIGINT)

import signal


def main() -> None:
    """Run the command line.

    Until a command has something to close, Ctrl-C ends the process at once.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # an ignored signal stays so
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    from voxgate.cli import main as run_cli

    run_cli()


if __name__ == "__main__":
    main()
