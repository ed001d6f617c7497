"""The table of options: flags, variables, defaults."""

from wsecho.options.config import OPTIONS, Config


def test_one_rule_for_flags_and_environment() -> None:
    options = {option.flag: option.environment for option in OPTIONS}
    assert options["--max-message-size"] == ("WSECHO_MAX_MESSAGE_SIZE",)
    assert options["--port"] == ("WSECHO_PORT", "PORT")
    assert options["--host"] == ("WSECHO_HOST", "HOST")
    assert options["--no-deflate"] == ("WSECHO_NO_DEFLATE",)
    assert all(option.meaning.endswith(".") for option in OPTIONS)


def test_defaults_are_what_the_table_says() -> None:
    config = Config()
    assert (config.backlog, config.close_timeout, config.stall_timeout, config.drain_timeout) == (4096, 5, 30, 7)
    assert (config.port, config.max_message_size, config.handshake_timeout) == (8080, 64 << 20, 10)
