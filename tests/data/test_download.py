"""The downloader against a real server, well and badly behaved.

Long because it is one list of what a server can do, a few lines for each; what is left out is seen.
"""

from __future__ import annotations

import errno
import shutil
import ssl
import subprocess

import pytest

from envcheck.data.arrived import Arrived
from envcheck.data.download import Fetcher, Patience
from envcheck.data.source import Source, check_address
from envcheck.errors import EnvcheckError, RetryError, UsageError
from tests.data.conftest import noise, sha256
from tests.data.server import Fault, Site

BODY = noise(600_000)
OTHER = noise(600_000, seed=1)
QUICK = Patience(tries=3, wait_s=0.0, silence_s=5.0)
PATH = "/sub/file.bin"


@pytest.fixture
def part(tmp_path):
    return tmp_path / "file.bin.part"


@pytest.fixture
def fetch(site, server, part):
    site.files.setdefault(PATH, BODY)
    said = []

    def call(data=BODY, *, server=server, patience=QUICK, digest=None):
        source = Source(f"{server.url}{PATH}", len(data), digest or sha256(data))
        Fetcher(patience).fetch(source, part, said.append)
        return said

    return call


def left(part):
    return sorted(path.name for path in part.parent.iterdir())


def ranges(site):
    return [one.headers.get("Range") for one in site.gets()]


def killed_after(fetch, site, part, size=200_000):
    """Leave what a download leaves that ended in the middle; return how much of it that is."""
    site.faults, site.always = [Fault(cut=size)], Fault(status=503)
    with pytest.raises(RetryError):
        fetch(patience=Patience(tries=1, wait_s=0.0, silence_s=5.0))
    site.always = None
    site.asked.clear()
    return part.stat().st_size


def test_a_file_arrives_whole_and_nothing_else_is_left(fetch, part):
    fetch()
    assert part.read_bytes() == BODY
    assert left(part) == [part.name]


def test_the_beginning_of_a_digest_is_enough_where_no_more_is_known(fetch, part):
    fetch(digest=sha256(BODY)[:8])
    assert part.read_bytes() == BODY


def test_what_was_killed_goes_on_where_it_was_and_asks_for_the_same_version(fetch, site, part):
    site.tags[PATH] = '"one"'
    here = killed_after(fetch, site, part)
    assert 0 < here <= 200_000
    assert part.read_bytes() == BODY[:here]
    fetch()
    (asked,) = site.gets()
    assert (asked.headers["Range"], asked.headers["If-Range"]) == (f"bytes={here}-", '"one"')
    assert asked.sent == len(BODY) - here
    assert part.read_bytes() == BODY
    assert left(part) == [part.name]


def test_a_date_names_a_version_where_there_is_no_strong_tag(fetch, site, part):
    site.tags[PATH], site.date = 'W/"weak"', "Sun, 29 Nov 2026 12:00:00 GMT"
    killed_after(fetch, site, part)
    fetch()
    assert site.gets()[0].headers["If-Range"] == site.date


def test_a_server_that_dies_again_and_again_is_asked_as_long_as_each_try_brings_something(fetch, site, part):
    site.faults = [Fault(cut=130_000)] * 4  # more than it may fail in a row
    fetch()
    assert part.read_bytes() == BODY
    starts = [int(one.removeprefix("bytes=").rstrip("-")) for one in ranges(site)[1:]]
    assert len(starts) == 4
    assert starts == sorted(set(starts))


def test_a_server_that_brings_nothing_new_is_given_up_and_another_try_may_help(fetch, site, part):
    site.faults = [Fault(cut=130_000)]
    site.always = Fault(cut=0)
    with pytest.raises(RetryError, match=r"file\.bin was not fetched: ") as caught:
        fetch()
    assert caught.value.exit_code == 75
    assert f"{part.stat().st_size:,} of 600,000 bytes are kept" in caught.value.hint
    assert len(site.gets()) == 1 + QUICK.tries


def test_a_truncated_file_without_a_length_is_no_whole_one(fetch, site, part):
    site.faults = [Fault(cut=300_000, lengthless=True)]
    fetch()
    assert ranges(site) == [None, "bytes=300000-"]
    assert part.read_bytes() == BODY


def test_a_wrong_digest_names_both_and_leaves_nothing(fetch, part):
    with pytest.raises(EnvcheckError) as caught:
        fetch(digest=sha256(OTHER))
    assert sha256(BODY) in caught.value.message
    assert sha256(OTHER) in caught.value.message
    assert caught.value.exit_code == 1
    assert left(part) == []


def test_a_file_that_has_changed_meanwhile_is_fetched_anew_and_not_glued(fetch, site, part):
    site.tags[PATH] = '"one"'
    killed_after(fetch, site, part)
    site.files[PATH], site.tags[PATH] = OTHER, '"two"'
    fetch(OTHER)
    assert part.read_bytes() == OTHER
    assert len(site.gets()) == 1


def test_a_server_that_is_deaf_to_the_version_is_found_out_by_its_tag(fetch, site, part):
    site.tags[PATH] = '"one"'
    killed_after(fetch, site, part)
    site.files[PATH], site.tags[PATH] = OTHER, '"two"'
    site.always = Fault(deaf=True)
    said = fetch(OTHER)
    assert part.read_bytes() == OTHER
    assert [one is None for one in ranges(site)] == [False, True]
    assert [one for one in said if "another piece" in one]  # before it is glued, not after


def test_pieces_that_no_tag_tells_apart_are_told_apart_by_the_digest(fetch, site, part):
    killed_after(fetch, site, part)
    site.files[PATH] = OTHER
    fetch(OTHER)
    assert part.read_bytes() == OTHER
    assert [one is None for one in ranges(site)] == [False, True]


def test_another_server_may_have_the_rest(fetch, serve, site, part):
    site.tags[PATH] = '"one"'
    here = killed_after(fetch, site, part)
    mirror = Site({PATH: BODY}, {PATH: '"its-own"'})
    fetch(server=serve(mirror))
    (asked,) = mirror.gets()
    assert "If-Range" not in asked.headers
    assert asked.sent == len(BODY) - here
    assert part.read_bytes() == BODY


def test_a_server_without_ranges_sends_all_of_it(fetch, site, part):
    killed_after(fetch, site, part)
    site.ranges = False
    fetch()
    assert part.read_bytes() == BODY


def test_what_is_whole_already_is_not_asked_for(fetch, site, part):
    part.write_bytes(BODY)
    fetch()
    assert site.asked == []


def test_more_than_there_is_begins_anew(fetch, site, part):
    part.write_bytes(BODY + b"!")
    fetch()
    assert ranges(site) == [None]
    assert part.read_bytes() == BODY


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_file_that_is_not_there_is_not_asked_for_twice(fetch, site, part, status):
    site.always = Fault(status=status)
    with pytest.raises(EnvcheckError, match=f"cannot be had: the server says {status} ") as caught:
        fetch()
    assert not isinstance(caught.value, RetryError)
    assert len(site.gets()) == 1
    assert left(part) == []


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(fetch, site, part, status):
    site.faults = [Fault(status=status)] * 2
    said = fetch()
    assert part.read_bytes() == BODY
    assert [one for one in said if "again in" in one] != []


def test_a_server_that_stays_busy_is_given_up(fetch, site):
    site.always = Fault(status=503)
    with pytest.raises(RetryError, match="the server says 503 Service Unavailable"):
        fetch()
    assert len(site.gets()) == QUICK.tries


@pytest.mark.parametrize(
    "claim",
    ["bytes 0-599999/600000", "bytes 1-599999/600000", "bytes */600000", "bytes x", "items 1-2/3", ""],
)
def test_another_piece_than_was_asked_for_is_not_glued(fetch, site, part, claim):
    killed_after(fetch, site, part)
    site.faults = [Fault(range=claim or " ")]
    fetch()
    assert part.read_bytes() == BODY
    assert [one is None for one in ranges(site)] == [False, True]


def test_a_piece_of_a_file_of_another_size_is_not_glued(fetch, site, part):
    here = killed_after(fetch, site, part)
    site.faults = [Fault(range=f"bytes {here}-599999/600001")]
    fetch()
    assert [one is None for one in ranges(site)] == [False, True]
    assert part.read_bytes() == BODY


def test_a_server_that_has_nothing_after_what_is_here_begins_anew(fetch, site, part):
    killed_after(fetch, site, part)
    site.faults = [Fault(status=416)]
    fetch()
    assert [one is None for one in ranges(site)] == [False, True]
    assert part.read_bytes() == BODY


def test_a_body_without_an_end_is_left_at_the_files_own(fetch, site, part):
    site.always = Fault(extra=b"x" * 400_000)
    with pytest.raises(EnvcheckError, match="does not end after the 600,000 bytes"):
        fetch()
    assert len(site.gets()) == 1
    assert left(part) == []


def test_a_page_in_place_of_the_file_is_known_by_its_size(fetch, site, part):
    site.files[PATH] = b"<html>Please log in</html>"
    with pytest.raises(EnvcheckError, match="announces 26 bytes, expected 600000") as caught:
        fetch()
    assert "login" in caught.value.hint
    assert left(part) == []


def test_another_size_on_one_server_costs_nothing_of_what_is_here(fetch, site, part):
    here = killed_after(fetch, site, part)
    site.files[PATH], site.ranges = b"<html>", False
    with pytest.raises(EnvcheckError, match="is not the file"):
        fetch()
    assert part.stat().st_size == here


def test_bytes_are_asked_for_as_they_are_and_unpacked_where_a_server_packs_them(fetch, site, part):
    site.always = Fault(packed=True)
    fetch()
    assert site.gets()[0].headers["Accept-Encoding"] == "identity"
    assert part.read_bytes() == BODY


def test_a_silent_server_is_not_waited_for_without_end(fetch, site, part):
    site.always = Fault(stall=True)
    with pytest.raises(RetryError, match="the server does not answer"):
        fetch(patience=Patience(tries=1, silence_s=0.2))
    assert left(part) == []


def test_nobody_who_listens_is_an_error_that_may_pass(fetch, server, part):
    server.close()
    with pytest.raises(RetryError, match="there is no connection to the server"):
        fetch()
    assert left(part) == []


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/file", "file:///etc/passwd", "http://[", "http://a..b/"])
def test_a_redirect_to_nowhere_is_final(fetch, site, part, place):
    site.always = Fault(status=302, location=place)
    with pytest.raises(EnvcheckError, match="leads nowhere"):
        fetch()
    assert len(site.gets()) == 1
    assert left(part) == []


def test_a_redirect_to_itself_is_final(fetch, site):
    site.always = Fault(status=302, location=PATH)
    with pytest.raises(EnvcheckError, match="leads nowhere"):
        fetch()


def test_a_redirect_to_another_server_is_followed_with_the_range(fetch, serve, site, part):
    here = killed_after(fetch, site, part)
    elsewhere = Site({"/there": BODY})
    site.always = Fault(status=302, location=f"{serve(elsewhere).url}/there")
    fetch()
    assert ranges(elsewhere) == [f"bytes={here}-"]
    assert part.read_bytes() == BODY


def test_a_disk_that_is_full_is_named_and_what_has_arrived_counts(tmp_path):
    class Full:
        def read(self, _size):
            return b""

        def write(self, _block):
            raise OSError(errno.ENOSPC, "No space left on device")

    arrived = Arrived(tmp_path / "file.part", Full())
    with pytest.raises(EnvcheckError, match=r"file\.part: No space left on device") as caught:
        arrived.take(b"x")
    assert caught.value.finding == "disk.full"
    assert arrived.size == 0


def test_a_question_tells_a_missing_file_and_another_one(server, site):
    site.files[PATH] = BODY
    good = Source(f"{server.url}{PATH}", len(BODY), "")
    Fetcher(QUICK).ask(good, print)
    with pytest.raises(EnvcheckError, match="404 Not Found"):
        Fetcher(QUICK).ask(Source(f"{server.url}/absent", 1, ""), print)
    with pytest.raises(EnvcheckError, match="announces 600000 bytes, expected 5"):
        Fetcher(QUICK).ask(Source(good.url, 5, ""), print)
    assert site.gets() == []


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_server_that_answers_no_question_may_still_give_the_file(server, site, status):
    site.head = status
    Fetcher(QUICK).ask(Source(f"{server.url}{PATH}", 5, ""), print)


def test_a_question_to_a_busy_server_is_asked_again_and_given_up(server, site):
    site.head = 503
    with pytest.raises(RetryError, match="503"):
        Fetcher(QUICK).ask(Source(f"{server.url}{PATH}", 5, ""), print)
    assert len(site.asked) == QUICK.tries


def test_a_name_and_password_in_an_address_are_used_and_not_shown(server, site):
    url = server.url.replace("http://", "http://me:secret@")
    with pytest.raises(EnvcheckError) as caught:
        Fetcher(QUICK).ask(Source(f"{url}{PATH}", 5, ""), print)
    assert site.asked[0].headers["Authorization"].startswith("Basic ")
    assert "secret" not in caught.value.message + caught.value.hint
    assert f"{server.url}{PATH}" in caught.value.message


@pytest.mark.parametrize(
    "url",
    [
        *("", "mirror.example.org/coco", "ftp://example.org", "file:///data", "http://", "http://a:b/"),
        *("http://[::1/", "http://example.org/?a=b", "http://example.org/#a", "http://exa mple.org/"),
        "http://example.org/\x1b[31m",
    ],
)
def test_what_is_no_address_of_a_folder_is_bad_input(url):
    with pytest.raises(UsageError, match="no address of a folder"):
        check_address(url)


def test_a_slash_at_the_end_of_an_address_is_one_too_many():
    assert check_address("https://example.org:8080/coco/") == "https://example.org:8080/coco"


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that nobody has signed, and a server's context with it."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with: TLS is not verified")
    folder = tmp_path / "tls"
    folder.mkdir()
    key, file = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", file),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context


def test_a_certificate_is_checked_and_a_bundle_of_ones_own_is_taken(
    fetch, serve, site, certificate, part, monkeypatch
):
    file, context = certificate
    secure = serve(site, context)
    with pytest.raises(EnvcheckError, match=r"certificate of 127\.0\.0\.1 was not accepted") as caught:
        fetch(server=secure)
    assert "REQUESTS_CA_BUNDLE" in caught.value.hint
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    fetch(server=secure)
    assert part.read_bytes() == BODY


def test_tls_is_not_given_up_on_the_way(fetch, serve, server, certificate, monkeypatch):
    file, context = certificate
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    redirecting = Site(always=Fault(status=302, location=f"{server.url}{PATH}"))
    with pytest.raises(EnvcheckError, match="an address without TLS"):
        fetch(server=serve(redirecting, context))


def test_a_proxy_of_the_environment_is_asked(serve, site, part, monkeypatch):
    proxy = Site({f"http://far.example{PATH}": BODY})
    monkeypatch.setenv("http_proxy", serve(proxy).url)
    Fetcher(QUICK).fetch(Source(f"http://far.example{PATH}", len(BODY), sha256(BODY)), part, print)
    assert part.read_bytes() == BODY
    assert site.asked == []
