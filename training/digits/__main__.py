"""`make tiny`: train the tests' checkpoint, or evaluate one."""

from __future__ import annotations

import argparse
from pathlib import Path

DATA = Path(__file__).parents[2] / "tests" / "data"
CHECKPOINT = DATA / "voxtral-digits"
ANSWERS = DATA / "voxtral-digits-answers"


def main() -> None:
    """Train a checkpoint, one that answers with `answers`, or evaluate one with `evaluate DIR`."""
    parser = argparse.ArgumentParser(prog="python -m training.digits", description=__doc__)
    _add_training_options(parser, CHECKPOINT)
    parser.add_argument("--holdout", metavar="SPEAKER", help="a speaker to leave out")
    commands = parser.add_subparsers(dest="command")
    answers = commands.add_parser("answers", help="train the checkpoint to answer questions too")
    _add_training_options(answers, ANSWERS)
    answers.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="to begin with")
    _add_evaluation_options(
        commands.add_parser("evaluate", help="print a checkpoint's error rates")
    )
    arguments = parser.parse_args()
    if arguments.command == "evaluate":
        from training.digits import evaluate, evaluate_answers

        if arguments.answers:
            evaluate_answers.report(arguments.checkpoint, arguments.n)
            return
        evaluate.report(
            arguments.checkpoint, arguments.speakers, arguments.n, all_takes=arguments.all_takes
        )
    elif arguments.command == "answers":
        from training.digits import run

        run.train_answers(
            arguments.checkpoint,
            arguments.out,
            seed=arguments.seed,
            threads=arguments.threads,
            shorter=arguments.shorter,
            scratch=arguments.scratch,
        )
    else:
        from training.digits import run

        run.train(
            arguments.out,
            seed=arguments.seed,
            threads=arguments.threads,
            holdout=arguments.holdout,
            shorter=arguments.shorter,
            scratch=arguments.scratch,
        )


def _add_training_options(parser: argparse.ArgumentParser, out: Path) -> None:
    parser.add_argument("--out", type=Path, default=out, help="the checkpoint's directory")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="changes the time, not the result")
    parser.add_argument("--shorter", type=float, default=1.0, metavar="SHARE", help="of the steps")
    parser.add_argument("--scratch", type=Path, help="save each stage here, and resume from it")


def _add_evaluation_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument(
        "--speakers", type=lambda names: names.split(","), help="a,b (default: all)"
    )
    parser.add_argument("--answers", action="store_true", help="how many answers are right")
    parser.add_argument("-n", type=int, default=300, help="clips")
    parser.add_argument(
        "--all-takes", action="store_true", help="for a speaker not used in training"
    )


if __name__ == "__main__":
    main()
