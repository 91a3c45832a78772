import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.remote.address import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ssh://pi@raspberrypi.local", Address("raspberrypi.local", "pi")),
        ("ssh://raspberrypi", Address("raspberrypi")),
        ("SSH://pi@10.0.0.7:2222", Address("10.0.0.7", "pi", 2222)),
        ("ssh://my_board/", Address("my_board")),
        ("ssh://pi@[fe80::1%eth0]:22", Address("fe80::1%eth0", "pi", 22)),
        ("ssh://[2001:db8::7]", Address("2001:db8::7")),
        ("ssh://first.last+x-y_z@host", Address("host", "first.last+x-y_z")),
    ],
)
def test_an_address_is_read(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pi@raspberrypi", "does not begin with ssh://"),
        ("", "does not begin with ssh://"),
        ("http://pi", "does not begin with ssh://"),
        ("ssh://", "'' is no host name"),
        ("ssh://pi@", "'' is no host name"),
        ("ssh://@pi", "'' is no user name"),
        ("ssh://-oProxyCommand=x", "is no host name"),
        ("ssh://-oProxyCommand=x@pi", "is no user name"),
        ("ssh://pi@-oProxyCommand=x", "is no host name"),
        ("ssh://pi;id@host", "is no user name"),
        ("ssh://a@b@host", "is no user name"),
        ("ssh://host$(id)", "is no host name"),
        ("ssh://ho st", "is no host name"),
        ("ssh://host\n", "is no host name"),
        ("ssh://host/home/pi", "is no host name"),
        ("ssh://pi:secret@host", "a password does not belong there"),
        ("ssh://host:", "'' is no port"),
        ("ssh://host:0", "'0' is no port"),
        ("ssh://host:65536", "'65536' is no port"),
        ("ssh://host:22x", "'22x' is no port"),
        ("ssh://fe80::1", "stands in brackets"),
        ("ssh://[pi]", "no IPv6 address in brackets"),
        ("ssh://[fe80::1", "no IPv6 address in brackets"),
        ("ssh://[fe80::1]22", "no IPv6 address in brackets"),
        ("ssh://[fe80::1%-x]", "no IPv6 address in brackets"),
    ],
)
def test_anything_else_is_refused(text: str, reason: str) -> None:
    with pytest.raises(EdgeretrainError) as error:
        parse_address(text)
    assert reason in str(error.value)
    assert str(error.value).endswith("Write it as ssh://pi@raspberrypi.local.")


def test_the_command_to_log_in_by_hand() -> None:
    assert Address("board").command == "ssh board"
    assert Address("fe80::1", "pi", 2222).command == "ssh -p 2222 pi@fe80::1"
