"""Where it listens, and what it says when it cannot."""

import socket

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.serve.address import listen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_a_loopback_address_is_known_as_one(host: str) -> None:
    listening = listen(host, 0)
    with listening.socket:
        assert listening.loopback
        assert listening.urls() == [f"http://{host}:{listening.port}/"]
        socket.create_connection((host, listening.port), 5).close()


def test_all_addresses_are_not_and_urls_lead_there_with_the_token() -> None:
    listening = listen("0.0.0.0", 0)
    with listening.socket:
        assert not listening.loopback
        urls = listening.urls("a+b&c=d/e")
        assert urls
        for url in urls:
            assert "0.0.0.0" not in url
            assert url.endswith(f":{listening.port}/?token=a%2Bb%26c%3Dd%2Fe")


def test_ipv6() -> None:
    try:
        listening = listen("::1", 0)
    except EdgeretrainError:
        pytest.skip("this machine has no IPv6")
    with listening.socket:
        assert listening.loopback
        assert listening.urls() == [f"http://[::1]:{listening.port}/"]


def test_a_port_in_use_is_told() -> None:
    with listen("127.0.0.1", 0).socket as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EdgeretrainError, match=f"Port {port} of 127.0.0.1 is in use .* --port"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.77", "no such host", "a" * 70, "300.1.1.1", "\udcff"])
def test_an_address_of_nobody_is_told(host: str) -> None:
    with pytest.raises(EdgeretrainError, match=r"is not an address of this machine\. Use --host"):
        listen(host, 0)
