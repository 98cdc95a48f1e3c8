from docs.generate import CLI, cli_page


def test_the_page_is_what_the_commands_say() -> None:
    assert CLI.read_text(encoding="utf-8") == cli_page(), "run `make docs`"
