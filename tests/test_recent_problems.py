import logging

from voxgate.recent_problems import MOST, RecentProblems

log = logging.getLogger("voxgate.test")


async def test_the_last_warnings_and_errors_are_kept_the_newest_first() -> None:
    problems = RecentProblems()
    log.error("before")
    async with problems.kept():
        log.info("quiet")
        log.warning("a %s of it", "part")
        try:
            raise ValueError("words that somebody said")
        except ValueError:
            log.exception("it failed")
    log.error("after")
    newest, older = problems.newest_first
    assert (newest.level, newest.sentence, newest.exception) == ("ERROR", "it failed", "ValueError")
    assert (older.level, older.sentence, older.exception) == ("WARNING", "a part of it", None)
    assert "somebody" not in repr(problems.newest_first)


async def test_there_are_no_more_than_that() -> None:
    problems = RecentProblems()
    async with problems.kept():
        for number in range(MOST + 5):
            log.warning("%s", number)
        log.warning("x" * 10_000)
    assert len(problems.newest_first) == MOST
    assert problems.newest_first[1].sentence == str(MOST + 4)
    assert len(problems.newest_first[0].sentence) < 10_000
