"""Logins with OAuth tokens by IMAP, submission and POP3, against an issuer that is asked about each."""

import base64
import imaplib
import json
import poplib
import smtplib
import socket
import threading
import time

import pytest

from lab.issuer import CLIENT, Issuer
from lab.process import wait_until


def bearer(user, token):
    return f"n,a={user},\x01host=localhost\x01auth=Bearer {token}\x01\x01".encode()


def google(user, token):
    return f"user={user}\x01auth=Bearer {token}\x01\x01".encode()


@pytest.fixture(scope="module")
def issuer(folder):
    server = Issuer(folder / "issuer", 8443)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stack(folder, issuer):
    from lab.mailstead import Mailstead
    own = Mailstead(folder / "oauth", shift=5000)
    own.configure("oauth", introspection_url=issuer.url(), client_id=CLIENT[0], client_secret_file=str(issuer.secret_file),
                  ca_file=str(issuer.ca), issuer="https://id.example.test", scope="mail",
                  discovery_url="https://id.example.test/.well-known/openid-configuration")
    own.cli("config", "check")
    own.add_account("friend@example.test")
    own.start()
    yield own
    own.stop()


def grant(issuer, token, user, **claims):
    issuer.tokens[token] = {"active": True, "iss": "https://id.example.test", "scope": "openid mail", "username": user,
                            "exp": int(time.time()) + 600, **claims}
    return token


def imap(stack, mechanism, message):
    """The tagged answer, and what the server said in challenges."""
    client = imaplib.IMAP4_SSL("localhost", stack.imaps, ssl_context=stack.tls(), timeout=30)
    assert f"AUTH={mechanism}" in client.capabilities
    said = []

    def answer(challenge):
        if challenge:
            said.append(json.loads(challenge))
            return b"\x01"
        return message
    try:
        client.authenticate(mechanism, answer)
        result = "OK"
    except imaplib.IMAP4.error as error:
        result = str(error)
    client.shutdown()
    return result, said


def smtp(stack, mechanism, message):
    with smtplib.SMTP_SSL("localhost", stack.submissions, context=stack.tls(), timeout=30) as client:
        client.ehlo()
        assert mechanism in client.esmtp_features["auth"]
        code, text = client.docmd("AUTH", mechanism + " " + base64.b64encode(message).decode())
        said = []
        if code == 334:
            said.append(json.loads(base64.b64decode(text)))
            code, text = client.docmd(base64.b64encode(b"\x01").decode())
        return code, said


def pop3(stack, mechanism, message):
    client = poplib.POP3_SSL("localhost", stack.pop3s, context=stack.tls(), timeout=30)
    assert mechanism in client.capa()["SASL"]
    client._putcmd(f"AUTH {mechanism} {base64.b64encode(message).decode()}")
    line = client._getline()[0]
    if line.startswith(b"+ "):
        client._putcmd(base64.b64encode(b"\x01").decode())
        line = client._getline()[0]
    client.close()
    return line


MECHANISMS = [("OAUTHBEARER", bearer), ("XOAUTH2", google)]


@pytest.mark.parametrize("mechanism,write", MECHANISMS)
def test_a_good_token_lets_in_everywhere_and_is_asked_about_once(stack, issuer, mechanism, write):
    token = grant(issuer, f"good.{mechanism}~1", stack.address)
    assert imap(stack, mechanism, write(stack.address, token)) == ("OK", [])
    assert smtp(stack, mechanism, write(stack.address, token)) == (235, [])
    assert pop3(stack, mechanism, write(stack.address, token)).startswith(b"+OK")
    assert issuer.asked.count(token) == 1


@pytest.mark.parametrize("mechanism,write", MECHANISMS)
def test_a_bad_token_is_told_what_is_wanted(stack, issuer, mechanism, write):
    result, said = imap(stack, mechanism, write(stack.address, "unknown"))
    assert "AUTHENTICATIONFAILED" in result
    if mechanism == "OAUTHBEARER":
        assert said == [{"status": "invalid_token", "scope": "mail",
                         "openid-configuration": "https://id.example.test/.well-known/openid-configuration"}]
    else:
        assert said == [{"status": "401", "schemes": "bearer", "scope": "mail"}]
    code, said = smtp(stack, mechanism, write(stack.address, "unknown"))
    assert code == 535 and said
    assert pop3(stack, mechanism, write(stack.address, "unknown")).startswith(b"-ERR [AUTH]")


def test_tokens_are_not_remembered_past_their_end(stack, issuer):
    token = grant(issuer, "short", stack.address, exp=int(time.time()) - 1)
    assert "AUTHENTICATIONFAILED" in imap(stack, "OAUTHBEARER", bearer(stack.address, token))[0]


@pytest.mark.parametrize("claims,status", [({"scope": "openid"}, "insufficient_scope"),
                                           ({"iss": "https://evil.test"}, "invalid_token"),
                                           ({"active": False}, "invalid_token")])
def test_what_the_operator_demands(stack, issuer, claims, status):
    token = grant(issuer, "demand-" + "-".join(claims), stack.address, **claims)
    result, said = imap(stack, "OAUTHBEARER", bearer(stack.address, token))
    assert "AUTHENTICATIONFAILED" in result and said[0]["status"] == status


def test_a_token_is_good_for_its_owner_alone(stack, issuer):
    token = grant(issuer, "mine", stack.address)
    assert "AUTHORIZATIONFAILED" in imap(stack, "OAUTHBEARER", bearer("friend@example.test", token))[0]
    stranger = grant(issuer, "stranger", "nobody@example.test")
    assert "AUTHORIZATIONFAILED" in imap(stack, "OAUTHBEARER", b"n,,\x01auth=Bearer stranger\x01\x01")[0]
    assert stranger in issuer.asked


def test_a_locked_account_is_out_at_once(stack, issuer):
    token = grant(issuer, "locked", "friend@example.test")
    assert imap(stack, "OAUTHBEARER", bearer("friend@example.test", token))[0] == "OK"
    stack.cli("account", "set", "friend@example.test", "--lock")
    assert "AUTHORIZATIONFAILED" in imap(stack, "OAUTHBEARER", bearer("friend@example.test", token))[0]


def test_an_issuer_that_fails_is_nobodys_fault(stack, issuer):
    issuer.status = 500
    try:
        assert "UNAVAILABLE" in imap(stack, "OAUTHBEARER", bearer(stack.address, "any"))[0]
        assert smtp(stack, "XOAUTH2", google(stack.address, "any"))[0] == 454
        assert pop3(stack, "XOAUTH2", google(stack.address, "any")).startswith(b"-ERR [SYS/TEMP]")
    finally:
        issuer.status = 200


@pytest.mark.parametrize("claims", [{"exp": "1"}, {"exp": None}, {"nbf": "4102444800"}, {"token_type": [1]}, {"username": 7},
                                    {"scope": ["mail"]}])
def test_claims_of_the_wrong_type_let_nobody_in(stack, issuer, claims):
    name = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    token = grant(issuer, "typed-" + name, stack.address, **claims)
    assert "AUTHENTICATIONFAILED" in imap(stack, "OAUTHBEARER", bearer(stack.address, token))[0]


@pytest.mark.parametrize("verified", ["false", "true", 0, None])
def test_an_address_whose_proof_has_the_wrong_type_names_nobody(stack, issuer, verified):
    token = f"mail-{verified}"
    issuer.tokens[token] = {"active": True, "iss": "https://id.example.test", "scope": "mail", "email": stack.address,
                            "email_verified": verified}
    assert "AUTHENTICATIONFAILED" in imap(stack, "OAUTHBEARER", bearer(stack.address, token))[0]


def test_a_refused_token_is_asked_about_once(stack, issuer):
    for _ in range(4):
        assert "AUTHENTICATIONFAILED" in imap(stack, "OAUTHBEARER", bearer(stack.address, "stale"))[0]
    assert issuer.asked.count("stale") == 1


def show(stack, token, user):
    """Shows a token, and does not wait for the answer."""
    plain = socket.create_connection(("localhost", stack.imaps), timeout=30)
    client = stack.tls().wrap_socket(plain, server_hostname="localhost")
    client.recv(4096)
    client.sendall(b"a AUTHENTICATE OAUTHBEARER " + base64.b64encode(bearer(user, token)) + b"\r\n")
    return client


def test_logins_that_hang_up_lock_out_no_token(own_stack, folder):
    """The issuer is silent, and strangers keep asking about tokens and hang up."""
    issuer = Issuer(folder / "silent", 8444)
    stack = own_stack()
    stack.configure("oauth", introspection_url=issuer.url(), client_id=CLIENT[0], client_secret_file=str(issuer.secret_file),
                    ca_file=str(issuer.ca), issuer="https://id.example.test", scope="mail")
    stack.start()
    try:
        token = grant(issuer, "remembered", stack.address)
        assert imap(stack, "OAUTHBEARER", bearer(stack.address, token))[0] == "OK"
        issuer.gate = threading.Event()
        for round_ in range(3):
            for client in [show(stack, f"flood{round_}-{i}", "nobody@example.test") for i in range(16)]:
                client.close()
        begun = time.monotonic()
        assert imap(stack, "OAUTHBEARER", bearer(stack.address, token))[0] == "OK"
        assert time.monotonic() - begun < 2
        # A network has two of the eight threads: of 48 tokens that nobody waited for, the others were never asked about.
        assert len([one for one in issuer.asked if one.startswith("flood")]) <= 8, issuer.asked
        issuer.gate.set()
    finally:
        issuer.stop()


def test_connections_with_the_same_token_make_one_question(stack, issuer):
    token = grant(issuer, "together", stack.address)
    issuer.gate = threading.Event()
    try:
        clients = [show(stack, token, stack.address) for _ in range(5)]
        wait_until(lambda: token in issuer.asked, "the question")
        issuer.gate.set()
        answers = [client.recv(65536) for client in clients]
    finally:
        issuer.gate = None
    assert all(answer.startswith(b"a OK") for answer in answers), answers
    assert issuer.asked.count(token) == 1
    for client in clients:
        client.close()


def test_a_lock_ends_sessions_that_a_token_began(stack, issuer):
    user = stack.add_account("token@example.test")
    client = show(stack, grant(issuer, "session", user), user)
    assert client.recv(65536).startswith(b"a OK")
    assert stack.json("who", user)[0]["credential"] == "token"
    stack.cli("account", "set", user, "--lock")
    assert client.recv(65536) == b"* BYE The account is locked\r\n"
    client.close()


def test_no_token_is_ever_logged(stack, issuer):
    token = grant(issuer, "verysecrettoken", stack.address)
    assert imap(stack, "XOAUTH2", google(stack.address, token))[0] == "OK"
    assert imap(stack, "XOAUTH2", google(stack.address, "verysecrettoken2"))[0] != "OK"
    assert "verysecrettoken" not in stack.log()
    assert base64.b64encode(google(stack.address, token)).decode()[:40] not in stack.log()


def test_an_issuer_without_a_good_certificate_is_not_believed(own_stack, issuer):
    stack = own_stack()
    stack.configure("oauth", introspection_url=issuer.url())  # without ca_file
    stack.start()
    grant(issuer, "untrusted", stack.address)
    assert "UNAVAILABLE" in imap(stack, "OAUTHBEARER", bearer(stack.address, "untrusted"))[0]
    assert "untrusted" not in issuer.asked


def test_without_an_issuer_tokens_are_not_offered(mailstead):
    client = imaplib.IMAP4_SSL("localhost", mailstead.imaps, ssl_context=mailstead.tls(), timeout=30)
    assert not [c for c in client.capabilities if "OAUTH" in c]
    client.shutdown()
