"""Remote control of a Mozilla program: its Marionette port speaks length-prefixed JSON arrays."""

import json
import socket

# What every script sees. `until` waits for a condition and says what it waited for.
PRELUDE = r"""
const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const {setTimeout: later} = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
const until = async (what, condition) => {
  const end = Date.now() + 40000;
  for (;;) {
    let value; try { value = await condition(); } catch (error) { value = null; }
    if (value) return value;
    if (Date.now() > end) throw new Error("waited in vain for " + what);
    await new Promise(go => later(go, 100));
  }
};
const main = () => Services.wm.getMostRecentWindow("mail:3pane");
const pane = () => main().document.getElementById("tabmail").currentAbout3Pane;
const root = () => MailServices.accounts.allServers.find(server => server.type == "imap").rootFolder;
const flagged = flag => root().getFolderWithFlags(Ci.nsMsgFolderFlags[flag]);
const named = name => root().descendants.find(folder => folder.name == name);
const message = (folder, subject) => [...folder.messages].find(one => one.mime2DecodedSubject == subject);
const select = async (folder, subject) => {
  if (pane().gFolder != folder) pane().displayFolder(folder.URI);
  folder.updateFolder(main().msgWindow);
  const found = await until(subject, () => message(folder, subject));
  const row = await until("its row", () => {
    const at = pane().gDBView.findIndexOfMsgHdr(found, true);
    return at < 2 ** 31 ? [at] : null;
  });
  pane().threadTree.selectedIndex = row[0];
  return found;
};
"""


class Marionette:
    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self._stream = self._socket.makefile("rb")
        self._last = 0
        self._read()  # the greeting
        self.command("WebDriver:NewSession", capabilities={})
        self.command("Marionette:SetContext", value="chrome")
        self.command("WebDriver:SetTimeouts", script=100_000)

    def _read(self):
        length = b""
        while not length.endswith(b":"):
            byte = self._stream.read(1)
            if not byte:
                raise EOFError("the program is gone")
            length += byte
        return json.loads(self._stream.read(int(length[:-1])))

    def command(self, name, **parameters):
        self._last += 1
        text = json.dumps([0, self._last, name, parameters]).encode()
        self._socket.sendall(b"%d:%s" % (len(text), text))
        kind, _, error, result = self._read()
        assert kind == 1
        if error:
            raise AssertionError(f"{name}: {error.get('message')}")
        return result

    def run(self, script, *arguments):
        """The value of an async function body; its arguments are `given[0]`, `given[1]`..."""
        body = PRELUDE + "const given = [...arguments]; return (async () => {" + script + "})();"
        return self.command("WebDriver:ExecuteScript", script=body, args=list(arguments), sandbox="system",
                            newSandbox=False)["value"]
