"""The guard's decisions, one by one."""

import re

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.serve.auth import Guard, check_token, new_token
from serve.served import TOKEN


def test_made_tokens_are_long_different_and_fit() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(check_token(token) == token and re.fullmatch(r"[\w-]{22}", token) for token in tokens)


@pytest.mark.parametrize(
    "token", ["", "short", "elevenchars", "with a space in it", "tab\tin the middle", "grün-grün-grün"]
)
def test_unfit_tokens_are_refused(token: str) -> None:
    with pytest.raises(EdgeretrainError, match="12 characters or more") as caught:
        check_token(token)
    if len(token) > 5:
        assert token not in str(caught.value)  # it may be nearly right


def test_the_cookie_is_not_the_token_and_no_other_token_has_it() -> None:
    guard, other = (Guard(token, host="0.0.0.0", port=80) for token in (TOKEN, TOKEN + "x"))
    name, value = guard.cookie.split(";")[0].split("=")
    assert TOKEN not in guard.cookie
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} < set(guard.cookie.split("; "))
    assert guard.cookie_right({name: value})
    assert not other.cookie_right({name: value})
    assert Guard(TOKEN, host="0.0.0.0", port=80).cookie == guard.cookie  # it outlives a restart
    assert Guard(TOKEN, host="0.0.0.0", port=81).cookie_name != name  # cookies do not know ports


@pytest.mark.parametrize("value", ["", "0", TOKEN, "é", "\udcff"])
def test_another_cookie_is_wrong(value: str) -> None:
    guard = Guard(TOKEN, host="0.0.0.0", port=80)
    assert not guard.cookie_right({guard.cookie_name: value})
    assert not guard.cookie_right({"edgeretrain-81": value})


@pytest.mark.parametrize("shown", ["", TOKEN[:-1], TOKEN + " ", TOKEN.upper(), "é", "\udcff"])
def test_another_token_is_wrong(shown: str) -> None:
    assert not Guard(TOKEN, host="0.0.0.0", port=80).token_right(shown)
    assert Guard(TOKEN, host="0.0.0.0", port=80).token_right(TOKEN)
    assert not Guard(None, host="127.0.0.1", port=80).token_right(shown)


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost:8080", True),
        ("LOCALHOST", True),
        ("127.0.0.1:8080", True),
        ("127.0.0.1:9000", True),  # an SSH tunnel
        ("[::1]:8080", True),
        ("pi.example:8080", True),  # what it was told to listen on
        ("evil.example:8080", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
        ("[", False),
        ("evil.example@localhost@evil.example", False),
    ],
)
def test_without_a_token_the_host_must_be_this_machine(host: str, allowed: bool) -> None:
    assert Guard(None, host="pi.example", port=8080).host_allowed(host) is allowed
    assert Guard(TOKEN, host="0.0.0.0", port=8080).host_allowed(host)


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({}, False),
        ({"host": "pi:80", "origin": "http://pi:80"}, False),
        ({"x-edgeretrain": "1", "host": "pi:80"}, True),
        ({"x-edgeretrain": "1", "host": "pi:80", "origin": "http://pi:80"}, True),
        ({"x-edgeretrain": "1", "host": "pi:80", "origin": "http://pi:81"}, False),
        ({"x-edgeretrain": "1", "host": "pi:80", "origin": "http://evil.example"}, False),
        ({"x-edgeretrain": "1", "host": "pi:80", "origin": "null"}, False),
        ({"x-edgeretrain": "1", "host": "pi:80", "sec-fetch-site": "same-origin"}, True),
        ({"x-edgeretrain": "1", "host": "pi:80", "sec-fetch-site": "same-site"}, False),
        ({"x-edgeretrain": "1", "host": "pi:80", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_what_changes_something_comes_from_the_page_itself(headers: dict[str, str], own: bool) -> None:
    assert Guard(None, host="pi", port=80).from_own_page(headers) is own
