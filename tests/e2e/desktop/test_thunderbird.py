"""Thunderbird, with its own windows under a virtual display, makes its whole round: it finds the folders, shows what comes,
flags, files, deletes, searches, writes and sends."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from lab.mailstead import PASSWORD
from lab.marionette import Marionette
from lab.process import Daemon, accepts, wait_until

pytestmark = pytest.mark.skipif(not shutil.which("thunderbird"), reason="thunderbird is not installed")
PICTURES = os.environ.get("MAILSTEAD_PICTURES")


def preferences(stack, port):
    tls, password = 3, 3
    return {
        "mail.accountmanager.accounts": "account1", "mail.accountmanager.defaultaccount": "account1",
        "mail.account.account1.server": "server1", "mail.account.account1.identities": "id1",
        "mail.identity.id1.useremail": stack.address, "mail.identity.id1.fullName": "You",
        "mail.identity.id1.smtpServer": "smtp1",
        "mail.identity.id1.valid": True, "mail.identity.id1.compose_html": False,
        "mail.server.server1.type": "imap", "mail.server.server1.hostname": "localhost", "mail.server.server1.port": stack.imaps,
        "mail.server.server1.userName": stack.address, "mail.server.server1.socketType": tls,
        "mail.server.server1.authMethod": password, "mail.smtpservers": "smtp1", "mail.smtp.defaultserver": "smtp1",
        "mail.smtpserver.smtp1.hostname": "localhost", "mail.smtpserver.smtp1.port": stack.submissions,
        "mail.smtpserver.smtp1.try_ssl": tls, "mail.smtpserver.smtp1.authMethod": password,
        "mail.smtpserver.smtp1.username": stack.address,
        # A first start without questions, and nothing that looks for the internet.
        "mail.provider.suppress_dialog_on_startup": True, "mail.accounthub.enabled": False, "mail.rights.version": 1,
        "mail.spotlight.firstRunDone": True, "mail.shell.checkDefaultClient": False, "mailnews.start_page.enabled": False,
        "datareporting.policy.dataSubmissionEnabled": False, "app.update.enabled": False, "extensions.update.enabled": False,
        "mail.inappnotifications.enabled": False, "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False, "services.settings.server": "data:,", "security.OCSP.enabled": 0,
        "marionette.port": port,
    }


@pytest.fixture(scope="module")
def thunderbird(mailstead, tmp_path_factory):
    home = tmp_path_factory.mktemp("thunderbird")
    profile = home / "profile"
    profile.mkdir()
    port = 2828  # the network namespace is ours
    (profile / "user.js").write_text("".join(
        f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in preferences(mailstead, port).items()))
    subprocess.run(["certutil", "-N", "-d", f"sql:{profile}", "--empty-password"], check=True)
    subprocess.run(["certutil", "-A", "-d", f"sql:{profile}", "-n", "ours", "-t", "C,,", "-i", mailstead.ca], check=True)
    environment = {"HOME": str(home), "DISPLAY": ":71", "LANG": "C.UTF-8", "TZ": "UTC", "MOZ_CRASHREPORTER_DISABLE": "1",
                   "XDG_RUNTIME_DIR": str(home), "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1"}
    display = Daemon(["Xvfb", ":71", "-screen", "0", "1280x900x24", "-nolisten", "tcp"], home / "display.log")
    wait_until(lambda: pathlib.Path("/tmp/.X11-unix/X71").exists(), "the display")
    program = Daemon(["thunderbird", "--profile", profile, "--no-remote", "--marionette", "--remote-allow-system-access"],
                     home / "thunderbird.log", env=environment)
    wait_until(lambda: accepts("127.0.0.1", port), "Thunderbird to start", deadline=90)
    remote = Marionette(port)
    remote.run(r"""
        await until("the main window", () => pane().document.readyState == "complete");
        const Login = Components.Constructor("@mozilla.org/login-manager/loginInfo;1", Ci.nsILoginInfo, "init");
        for (const origin of ["imap://localhost", "smtp://localhost"])
          await Services.logins.addLoginAsync(new Login(origin, null, origin, given[0], given[1], "", ""));
        pane().displayFolder((await until("the inbox", () => flagged("Inbox"))).URI);
        flagged("Inbox").getNewMessages(main().msgWindow, null);
        root().server.performExpand(main().msgWindow);
        await until("all folders", () => named("Trash"));""", mailstead.address, PASSWORD)
    yield remote
    if PICTURES:
        picture = pathlib.Path(PICTURES) / "thunderbird.png"
        subprocess.run(["import", "-display", ":71", "-window", "root", str(picture)], check=False)
    program.stop()
    display.stop()


def receive(mailstead, subject):
    mailstead.receive("a@remote.test", [mailstead.address],
                      f"From: A <a@remote.test>\r\nTo: {mailstead.address}\r\nSubject: {subject}\r\n\r\ntext of {subject}\r\n")


def found(mailstead, mailbox, *criteria):
    client = mailstead.imap_login()
    try:
        return client.select(mailbox, readonly=True)[0] == "OK" and client.search(None, *criteria)[1][0].split()
    finally:
        client.logout()


def test_the_special_folders_are_known_by_themselves(thunderbird):
    for use in ("Drafts", "SentMail", "Trash", "Junk", "Archive"):
        assert thunderbird.run('return (await until(given[0], () => flagged(given[0]))).name;', use)


def test_new_mail_appears_without_asking_and_is_shown(thunderbird, mailstead):
    receive(mailstead, "by idle")
    shown = thunderbird.run(r"""
        await until("the new message", () => message(flagged("Inbox"), "by idle"));
        await select(flagged("Inbox"), "by idle");
        const view = pane().messageBrowser.contentWindow;
        return await until("its text", () => {
          const text = view.getMessagePaneBrowser().contentDocument.body.textContent;
          return text.includes("text of by idle") && text; });""")
    assert "text of by idle" in shown
    wait_until(lambda: found(mailstead, "INBOX", "SEEN", "SUBJECT", '"by idle"'), "\\Seen on the server", interval=0.2)


def test_stars_and_tags_reach_the_server(thunderbird, mailstead):
    receive(mailstead, "to mark")
    thunderbird.run(r"""
        const one = await select(flagged("Inbox"), "to mark");
        main().goDoCommand("cmd_markAsFlagged");
        flagged("Inbox").addKeywordsToMessages([one], "$label1");""")
    wait_until(lambda: found(mailstead, "INBOX", "FLAGGED", "KEYWORD", "$label1", "SUBJECT", '"to mark"'), "star and tag",
               interval=0.2)


def test_messages_move_to_a_new_folder_and_to_trash(thunderbird, mailstead):
    for subject in ("to move", "to throw away"):
        receive(mailstead, subject)
    thunderbird.run(r"""
        const one = await select(flagged("Inbox"), "to move");
        root().createSubfolder("Bird", main().msgWindow);
        const target = await until("the folder", () => named("Bird"));
        MailServices.copy.copyMessages(flagged("Inbox"), [one], target, true, null, main().msgWindow, false);
        await until("it to leave", () => !message(flagged("Inbox"), "to move"));
        await select(flagged("Inbox"), "to throw away");
        main().goDoCommand("cmd_delete");
        await until("it to leave", () => !message(flagged("Inbox"), "to throw away"));""")
    wait_until(lambda: found(mailstead, "Bird", "SUBJECT", '"to move"'), "the moved message", interval=0.2)
    wait_until(lambda: found(mailstead, "Trash", "SUBJECT", '"to throw away"'), "the deleted message", interval=0.2)


def test_a_letter_is_written_sent_and_kept(thunderbird, mailstead):
    thunderbird.run(r"""
        const params = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
        params.composeFields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
        params.identity = MailServices.accounts.defaultAccount.defaultIdentity;
        params.format = Ci.nsIMsgCompFormat.PlainText;
        Object.assign(params.composeFields, {to: "friend@example.test", subject: "from the bird", body: "A letter.\n"});
        MailServices.compose.OpenComposeWindowWithParams(null, params);
        const composer = await until("the composer", () => {
          const window = Services.wm.getMostRecentWindow("msgcompose");
          return window?.gMsgCompose?.editor && window.document.readyState == "complete" && window; });
        await until("the send button", () => !composer.document.getElementById("button-send").disabled);
        composer.goDoCommand("cmd_sendNow");
        await until("the letter to be sent", () => composer.closed);""")
    letter = mailstead.wait_for_message(user="friend@example.test", subject="from the bird")
    assert "A letter." in letter.get_payload()
    wait_until(lambda: found(mailstead, "Sent", "SUBJECT", '"from the bird"'), "the copy in Sent", interval=0.2)


def test_the_server_searches_bodies(thunderbird, mailstead):
    receive(mailstead, "to search")
    hits = thunderbird.run(r"""
        const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
        session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, flagged("Inbox"));
        await until("it to arrive", () => message(flagged("Inbox"), "to search"));
        const term = session.createTerm(), value = term.value;
        value.attrib = Ci.nsMsgSearchAttrib.Body; value.str = "text of to search";
        term.attrib = value.attrib; term.op = Ci.nsMsgSearchOp.Contains; term.value = value; session.appendTerm(term);
        const hits = [];
        await new Promise(done => {
          session.registerListener({QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]),
            onSearchHit(one) { hits.push(one.mime2DecodedSubject); }, onSearchDone() { done(); }, onNewSearch() {}});
          session.search(main().msgWindow); });
        return hits;""")
    assert hits == ["to search"]
