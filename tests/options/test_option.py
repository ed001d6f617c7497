"""One option: which values it accepts. And the configuration, which has a value for each."""

import pytest

from wsecho.options.config import OPTIONS, Config


def test_zero_and_what_is_left_out_are_never_refused() -> None:
    for option in OPTIONS:
        if option.or_zero:
            assert option.value("0") == 0
        if option.default:
            option.value(option.default)


def test_words_are_taken_in_any_case() -> None:
    options = {option.name: option for option in OPTIONS}
    assert [options["log_level"].value(text) for text in ("INFO", "Warn", "WARNING", " error ")] == [
        *("info", "warning", "warning", "error")
    ]
    assert options["log_format"].value("JSON") == "json"
    assert options["forwarded_header"].value("X-Forwarded-For") == "x-forwarded-for"
    assert options["codec"].value("Python") == "python"
    assert options["metrics_auth"].value("OFF") == "off"


def test_a_configuration_has_the_values_that_it_is_made_with_and_defaults() -> None:
    config = Config(port=1, auth_token=(b"x",))
    assert (config.port, config.auth_token, config.log_level) == (1, (b"x",), "info")
    assert (Config().port, Config().auth_token, Config().admin_port) == (8080, (), None)


def test_a_configuration_cannot_be_changed() -> None:
    config = Config()
    with pytest.raises(AttributeError, match="'port' cannot be changed"):
        config.port = 1  # type: ignore[misc]
    assert config.port == 8080


def test_a_configuration_has_no_other_options() -> None:
    with pytest.raises(TypeError, match="there is no option 'prot'"):
        Config(prot=1)  # type: ignore[call-arg]
