"""Logins with OAuth tokens by IMAP, submission and POP3, against an issuer that is asked about each."""

import base64
import imaplib
import json
import poplib
import smtplib
import time

import pytest

from lab.issuer import CLIENT, Issuer


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
