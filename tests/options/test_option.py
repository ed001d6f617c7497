"""One option: which values it accepts."""

from wsecho.options.config import OPTIONS


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
